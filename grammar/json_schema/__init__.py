"""Checks of a JSON Schema before llguidance compiles it."""
