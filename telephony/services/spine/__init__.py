"""From the press to 112: intake, relay, and the reports told past the store."""
