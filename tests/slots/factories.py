"""Slots and requests in given states, without an engine."""

from typing import Any

from slots.cache.cell_pool import CellPool
from slots.cache.prefix_cache import PrefixMatch
from slots.requests.media import MediaChunk, RequestMedia, pseudo_tokens
from slots.requests.request import CompletionRequest
from slots.requests.request_state import RequestState
from slots.requests.slot import Slot

NO_MATCH = PrefixMatch({}, None, None, 0, 0)


def request_state(*prompt: int, request_id: int = 99, **options: Any) -> RequestState:
    return RequestState(CompletionRequest(prompt or (1,), **options), request_id)


def slot_match(**by_slot: int) -> PrefixMatch:
    """The cached part of a prompt: slot_match(s0=3) is three tokens in slot 0."""
    counts = {int(name[1:]): n for name, n in by_slot.items()}
    return PrefixMatch(counts, max(counts, key=counts.__getitem__), None, 0, max(counts.values()))


def idle_slots(*cached: list[int]) -> list[Slot]:
    """Idle slots with these tokens, the least recently used one first. Empty ones were never used."""
    return [Slot(n, 1000, cached=tokens, last_used=n + 1 if tokens else 0) for n, tokens in enumerate(cached)]


def prefilling(slot_id: int, n_uncomputed: int, *, request_id: int | None = None) -> Slot:
    slot = Slot(slot_id, 1000)
    slot.assign(request_state(*range(n_uncomputed), request_id=request_id or slot_id + 1))
    return slot


def prefilling_media(slot_id: int, n_cells: int, *, is_causal: bool = True) -> Slot:
    """A prompt that is one picture."""
    cells = pseudo_tokens(bytes([slot_id]), n_cells, n_cells, is_whole=not is_causal)
    slot = Slot(slot_id, 1000)
    media = RequestMedia((MediaChunk(cells, n_cells, is_causal),))
    slot.assign(request_state(*cells, request_id=slot_id + 1, media=media))
    return slot


def generating(slot_id: int, n_tokens: int, *, request_id: int | None = None) -> Slot:
    slot = prefilling(slot_id, n_tokens, request_id=request_id)
    assert slot.state
    slot.cached = slot.state.tokens[:-1]
    slot.state.n_decoded = 1
    return slot


def cell_pool(n_cells: int, slots: list[Slot]) -> CellPool:
    """The cells of slots that share none."""
    cells = CellPool(n_cells, 1 + max(slot.slot_id for slot in slots))
    for slot in slots:
        cells.add(slot.slot_id, len(slot.cached))
    return cells


def ids(slots: list[Slot]) -> list[int]:
    return [slot.slot_id for slot in slots]
