"""Engine: its API for the event loop, and its thread."""

from slots.engine.adapters import Adapters
from slots.engine.engine import Engine
from slots.engine.memory_use import memory_use

__all__ = ["Adapters", "Engine", "memory_use"]
