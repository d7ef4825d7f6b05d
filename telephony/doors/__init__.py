"""HTTP doors for machines: the location URL of a call."""
