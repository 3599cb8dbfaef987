"""Command line: flags and environment variables to a Configuration."""
