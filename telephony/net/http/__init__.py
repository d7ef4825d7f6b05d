"""A lean HTTP/1.1 client: the client, its connections, the wire format, and content codings."""
