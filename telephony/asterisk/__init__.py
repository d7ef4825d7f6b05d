"""Asterisk: manager interface (AMI), SOS calls, calls that we place, spoken menu, check of the dialplan."""
