"""HTTP for machines: presses of apps and terminals, what a 112 centre does, and the location URL of a call."""
