"""The engine: its API for the event loop, and the thread behind it."""

from slots.engine.engine import Engine

__all__ = ["Engine"]
