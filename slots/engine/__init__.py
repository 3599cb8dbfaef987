"""Engine: its API for the event loop, and its thread."""

from slots.engine.engine import Engine
from slots.engine.memory_use import memory_use

__all__ = ["Engine", "memory_use"]
