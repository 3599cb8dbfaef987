"""Requests: a request, its state, its slot and its events."""
