"""Start, load, listen, stop."""
