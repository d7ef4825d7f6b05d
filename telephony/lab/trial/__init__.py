"""Trial calls of `onetouch dialplan check`, on a private Asterisk."""
