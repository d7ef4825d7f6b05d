"""Shared by all protocols: dialling and listening, TLS, host names, the HTTP/1.1 client, hardened XML."""
