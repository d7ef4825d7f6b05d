"""Clients of the carriers' location services (MLP), and the geometry of their answers."""
