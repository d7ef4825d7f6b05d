"""Alphabets of short messages: decoding, plausibility, joining of parts. Pure."""
