"""SMPP 3.4 and 5.0 as octets and values: pure, without a socket, a clock or a log."""
