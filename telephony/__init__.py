"""One-touch SOS: the telephony and SMS server behind the emergency key of a basic phone."""
