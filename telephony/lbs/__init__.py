"""Location services: where is this number."""
