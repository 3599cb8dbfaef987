"""Which request gets which slot, and what goes into the next batch. Pure policy: no ctypes, no threads, no clock."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from slots.prefix_cache import common_prefix_length
from slots.request import CompletionRequest
from slots.slot import Slot

_WORTHWHILE_SHARE = 0.1
"""A slot is chosen for its cached prefix only if that is at least this share of the prompt: a few common tokens are
no reason to overwrite a conversation that another slot could make room for."""


def choose_slot(request: CompletionRequest, slots: Sequence[Slot]) -> Slot | None:
    """The idle slot for a request, or None if it has to wait.

    In this order: the slot that was asked for by number; one that served the session last; the one with the longest
    common prefix; the least recently used one.
    """
    if request.slot_id >= 0:
        asked = slots[request.slot_id]
        return asked if asked.is_idle else None
    idle = [slot for slot in slots if slot.is_idle]
    if not idle:
        return None
    prompt = list(request.prompt)
    prefixes = {slot.slot_id: common_prefix_length(slot.cached, prompt) for slot in idle}
    of_session = [slot for slot in idle if request.session is not None and slot.session == request.session]
    if of_session:
        return max(of_session, key=lambda slot: (prefixes[slot.slot_id], slot.last_used))
    best = max(idle, key=lambda slot: (prefixes[slot.slot_id], -slot.last_used))
    if request.cache_prompt and prefixes[best.slot_id] >= _WORTHWHILE_SHARE * len(prompt):
        return best
    return min(idle, key=lambda slot: slot.last_used)


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a step may be."""

    n_batch: int
    """Most tokens in a step."""
    n_chunk: int
    """Most prefill tokens in a step that also generates: generating slots wait no longer than for these."""
    n_pool: int | None
    """KV cells that all slots share, or None where each slot has its own."""


@dataclass(frozen=True, slots=True)
class Share:
    """A slot's part of a batch: its next `n_tokens` pending tokens."""

    slot: Slot
    n_tokens: int


@dataclass(slots=True)
class Plan:
    """One step: first the caches of some slots are dropped to make room, then the shares are computed."""

    dropped: list[Slot] = field(default_factory=list)
    shares: list[Share] = field(default_factory=list)


def plan_step(slots: Sequence[Slot], limits: Limits) -> Plan:
    """What the next batch consists of.

    One token for every generating slot comes first, then chunks of prefill, the oldest request first. Where the slots
    share a pool of cells, idle caches give way to work. If that is not enough, the youngest requests give way to
    older ones: they lose their cache and go on, by computing it again, as soon as there is room. The oldest request
    always has room, so every request comes to its end.
    """
    working = sorted((slot for slot in slots if slot.work), key=lambda slot: slot.last_used)
    plan = Plan()
    room = _Room(slots, working, limits.n_pool, plan.dropped)
    ready = [slot for slot in working if room.claim(slot)]
    plan.shares = [Share(slot, 1) for slot in ready if slot.is_generating][: limits.n_batch]
    budget = min(limits.n_batch - len(plan.shares), limits.n_chunk) if plan.shares else limits.n_batch
    for slot in ready:
        if budget > 0 and not slot.is_generating:
            n_tokens = min(slot.n_pending, budget)
            plan.shares.append(Share(slot, n_tokens))
            budget -= n_tokens
    return plan


class _Room:
    """The free cells of the pool while a step is planned. `dropped` takes the slots whose caches had to go."""

    def __init__(self, slots: Sequence[Slot], working: Sequence[Slot], n_pool: int | None, dropped: list[Slot]) -> None:
        self._working = working
        self._idle = sorted((slot for slot in slots if slot.is_idle), key=lambda slot: slot.last_used)
        self._dropped = dropped
        self._free = None if n_pool is None else n_pool - sum(len(slot.cached) for slot in slots)

    def claim(self, slot: Slot) -> bool:
        """Set aside cells for all that is pending in a slot; False if it has to wait."""
        if self._free is None:
            return True
        if slot in self._dropped:
            return False
        victims = []
        missing = slot.n_pending - self._free
        for victim in self._that_give_way_to(slot):
            if missing > 0 and victim.cached and victim not in self._dropped:
                victims.append(victim)
                missing -= len(victim.cached)
        if missing > 0:
            return False
        self._dropped.extend(victims)
        self._free += sum(len(victim.cached) for victim in victims) - slot.n_pending
        return True

    def _that_give_way_to(self, slot: Slot) -> list[Slot]:
        """The least recently used idle slots first, then the youngest requests. A request that only begins takes
        nothing from others that work, unless it is the oldest."""
        if not slot.is_generating and slot is not self._working[0]:
            return self._idle
        younger = [other for other in self._working if other.last_used > slot.last_used]
        return self._idle + younger[::-1]
