"""Engine: its API for the event loop, and its thread."""

from slots.engine.engine import Engine

__all__ = ["Engine"]
