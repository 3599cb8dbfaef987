"""Slots and requests in states that tests are about, without an engine."""

from typing import Any

from slots.cache.cell_pool import Cells
from slots.cache.prefix_cache import Match
from slots.requests.request import CompletionRequest
from slots.requests.request_state import Work
from slots.requests.slot import Slot

NOTHING = Match({}, None, None, 0, 0)


def work(*prompt: int, number: int = 99, **options: Any) -> Work:
    return Work(CompletionRequest(prompt or (1,), **options), number)


def live(**by_slot: int) -> Match:
    """What slots have of a prompt: live(s0=3) is three tokens in slot 0."""
    counts = {int(name[1:]): n for name, n in by_slot.items()}
    return Match(counts, max(counts, key=counts.__getitem__), None, 0, max(counts.values()))


def idle_slots(*cached: list[int]) -> list[Slot]:
    """Idle slots with these caches; of those that were used, the later ones were used more lately."""
    return [Slot(n, 1000, cached=tokens, last_used=n + 1 if tokens else 0) for n, tokens in enumerate(cached)]


def prefilling(slot_id: int, n_pending: int, *, number: int | None = None) -> Slot:
    slot = Slot(slot_id, 1000)
    slot.take(work(*range(n_pending), number=number or slot_id + 1))
    return slot


def generating(slot_id: int, n_tokens: int, *, number: int | None = None) -> Slot:
    slot = prefilling(slot_id, n_tokens, number=number)
    assert slot.work
    slot.cached = slot.work.tokens[:-1]
    slot.work.n_decoded = 1
    return slot


def pool(n_cells: int, slots: list[Slot]) -> Cells:
    """The cells of slots that share none."""
    cells = Cells(n_cells, 1 + max(slot.slot_id for slot in slots))
    for slot in slots:
        cells.add(slot.slot_id, len(slot.cached))
    return cells


def ids(slots: list[Slot]) -> list[int]:
    return [slot.slot_id for slot in slots]
