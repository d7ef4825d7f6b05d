"""SMPP 3.3, 3.4 and 5.0: codec, session, ESME and SMSC roles."""
