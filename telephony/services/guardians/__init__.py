"""Telling guardians: whom, in which order and by which way."""
