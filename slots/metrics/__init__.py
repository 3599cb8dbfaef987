"""Counts and times of the engine: plain numbers that its thread writes and others read."""
