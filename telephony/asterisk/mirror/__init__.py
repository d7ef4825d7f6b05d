"""SOS calls that Asterisk refused, read from a copy of its signalling (HEP)."""
