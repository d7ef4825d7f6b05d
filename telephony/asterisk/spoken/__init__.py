"""Calls that we place and speak in: to the centre when data fails, and to guardians."""
