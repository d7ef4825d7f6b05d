"""Retention: data is deleted when its time is over, with an entry in the audit chain as the proof."""
