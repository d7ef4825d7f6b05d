"""Asterisk: the manager interface (AMI), and what we see and do on its lines."""
