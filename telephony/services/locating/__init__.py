"""Locating: asks carriers where a phone is, at once and again, and records each request."""
