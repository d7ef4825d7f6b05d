"""Reads XML from others: hardened, repaired where it is damaged, in any encoding."""
