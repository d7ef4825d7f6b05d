"""The manager interface of Asterisk (AMI): packets, the session as a state machine, the daemon's client."""
