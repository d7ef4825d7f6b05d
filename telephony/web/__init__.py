"""What others may ask of us over HTTP."""
