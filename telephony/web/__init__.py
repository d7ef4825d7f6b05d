"""The web server for others: the location URL of a call."""
