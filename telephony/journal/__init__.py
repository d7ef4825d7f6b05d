"""The journal of presses: every press is on this disk before its sender is answered, whatever the store does."""
