"""Simulates daemon, two carriers and a 112 centre in one process, on simulated time, with seeded trouble."""
