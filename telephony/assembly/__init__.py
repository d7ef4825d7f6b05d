"""Assembles the daemon: settings in, a service out. A file for each part; `daemon` starts and stops them."""
