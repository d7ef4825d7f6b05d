"""Guardians: their turns, the texts sent to them and their replies."""
