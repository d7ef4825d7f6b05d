"""Commands of an engineer to a running Asterisk: blocking, over py-Asterisk, never in the daemon."""
