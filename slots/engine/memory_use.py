"""MemoryUse: what the memory of an engine's process is used for."""

from dataclasses import dataclass

from slots.llama import Buffers, live_buffers, private_bytes, resident_bytes


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """Sizes in bytes; None for what the system does not say."""

    buffers: Buffers
    """llama.cpp's own, of the model, of a draft model and of all contexts."""
    grammar_tables: int | None
    """What grammars need of the vocabulary; 0 before the first one."""
    parked_prefixes: int
    """Snapshots of sequences that have lost their slot."""
    resident: int | None
    """What the process has in memory, pages of files included."""
    private: int | None
    """What of it belongs to no file."""


def memory_use(grammar_tables: int | None = 0, parked_prefixes: int = 0) -> MemoryUse:
    """Returns what this process uses, beside what its engine says of itself."""
    return MemoryUse(live_buffers(), grammar_tables, parked_prefixes, resident_bytes(), private_bytes())
