"""Recordings of calls: sealed files, and the register that names them."""
