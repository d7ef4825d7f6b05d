"""The keys of the store: the ring, the file that it comes from, and an HSM around it."""
