"""HTTP for machines: presses of apps and terminals, and the location URL of a call."""
