"""Completion: one step of text generation, from the schedule to the events."""
