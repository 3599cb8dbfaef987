"""Measurements side by side, and their last results."""
