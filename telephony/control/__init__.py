"""The control socket: what the running daemon is asked by commands on its own machine, and what it answers."""
