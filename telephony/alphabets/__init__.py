"""Alphabets of short messages, whatever brings them: read, weighed, joined. Pure."""
