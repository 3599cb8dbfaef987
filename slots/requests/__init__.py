"""Requests: what is asked, its state, its slot, its events."""
