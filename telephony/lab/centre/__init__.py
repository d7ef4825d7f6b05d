"""Simulates the 112 centre: an HTTP server that takes reports, and can misbehave."""
