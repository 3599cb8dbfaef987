"""Whole runs of random requests against a model of the KV cache: what must hold at every step of any run."""

import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slots.cache.radix_tree import common_prefix_length
from slots.completion.slot_maintenance import discard_range, n_kept
from slots.errors import InvalidRequest, SnapshotError
from slots.requests.adapters import NO_ADAPTERS, AdapterSet
from slots.requests.request import CompletionRequest
from slots.requests.request_state import RequestState
from slots.requests.scope import CacheScope
from slots.requests.slot import Slot
from slots.scheduling.adapter_turns import AdapterTurns
from slots.scheduling.kv_cache_manager import KvCacheManager
from slots.scheduling.scheduler import ScheduledSlot, SchedulerConfig, assign_slots, schedule_turn
from tests.slots.scheduling.kv_model import KvModel

N_REQUESTS = 14
"""Whose end is waited for, while others keep coming."""
MAX_WAITING = 6
MAX_TOKENS = 40


@dataclass
class Layout:
    """A KV cache and what it can do."""

    n_slots: int
    is_unified: bool
    can_share: bool
    can_truncate: bool
    parks: bool
    shifts: bool
    fails: bool
    """Now and then, snapshots and restores."""
    adapts: bool
    """Requests have different adapters."""


flag = st.booleans()
layouts = st.builds(
    Layout, st.integers(1, 5), flag, flag, flag, flag, flag, st.sampled_from([False, False, True]), flag
)


class FailingKvModel(KvModel):
    """A fifth of all snapshots and restores fail."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._chance = random.Random(options["n_ctx"])

    def snapshot(self, sequence: int) -> npt.NDArray[np.uint8]:
        if self._chance.random() < 0.2:
            raise SnapshotError("no memory")
        return super().snapshot(sequence)

    def restore(self, sequence: int, snapshot: npt.NDArray[np.uint8]) -> None:
        if self._chance.random() < 0.2:
            self.clear_sequence(sequence)
            raise SnapshotError("damaged")
        super().restore(sequence, snapshot)


@dataclass
class Run:
    """The engine without its thread and its model: the same calls in the same order."""

    layout: Layout
    chance: random.Random
    waiting: list[RequestState] = field(default_factory=list)
    n_to_generate: dict[int, int] = field(default_factory=dict)
    finished: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        layout = self.layout
        n_ctx = (MAX_TOKENS + self.chance.randint(0, 60)) if layout.is_unified else MAX_TOKENS * layout.n_slots
        self.kv = (FailingKvModel if layout.fails else KvModel)(
            is_unified=layout.is_unified,
            n_ctx=n_ctx,
            n_sequences=layout.n_slots,
            can_truncate=layout.can_truncate,
            can_share=layout.can_share,
        )
        self.turns = AdapterTurns(self.chance.choice([0.0, 0.1]))
        self.slots = [Slot(n, self.kv.n_ctx_seq) for n in range(layout.n_slots)]
        self.cache = KvCacheManager(self.kv, self.slots, 1 if layout.parks else 0)
        self.cache.min_shared_tokens = self.chance.choice([1, self.cache.min_shared_tokens])
        n_batch = max(16, layout.n_slots)
        self.config = SchedulerConfig(n_batch, 6, self.cache.min_shared_tokens, layout.can_truncate)

    def request(self) -> CompletionRequest:
        """A request, most often with a prefix in common with others."""
        chance = self.chance
        adapters, scope = self.adapters()
        family = [[1] * 30, [1] * 12 + [2] * 18, [3] * 25][chance.randrange(3)]
        prompt = family[: chance.randint(1, 30)] + [chance.randrange(4) for _ in range(chance.randint(0, 8))]
        return CompletionRequest(
            tuple(prompt),
            slot_id=chance.choice([-1, -1, -1, chance.randrange(len(self.slots))]),
            session=chance.choice([None, "one", "two"]),
            cache_prompt=chance.random() < 0.9,
            scope=replace(scope, n_public=min(chance.choice([0, 0, 5]), len(prompt))),
            adapters=adapters,
            n_cache_reuse=chance.choice([0, 0, 3]),
            n_keep=chance.choice([0, 5, -1]),
        )

    def adapters(self) -> tuple[AdapterSet, CacheScope]:
        """A request's adapters, which may begin behind its first tokens."""
        chance = self.chance
        salt, number = chance.choice(["", "", "mine"]), chance.choice([0, 0, 1, 2]) if self.layout.adapts else 0
        if not number:
            return NO_ADAPTERS, CacheScope(salt)
        return AdapterSet.of({number: 1.0}), CacheScope(salt, 0, str(number), chance.choice([0, 0, 7]))

    def arrive(self, number: int) -> None:
        state = RequestState(self.request(), number)
        self.waiting.append(state)
        room = 1 + self.slots[0].n_ctx - len(state.tokens)
        self.n_to_generate[number] = self.chance.randint(1, 3 * room if self.layout.shifts else room)

    def cancel_somebody(self) -> None:
        working = [slot for slot in self.slots if slot.state]
        if working and self.chance.random() < 0.5:
            self.finish(self.chance.choice(working))
        elif self.waiting:
            state = self.chance.choice(self.waiting)
            self.waiting.remove(state)
            self.finished.add(state.request_id)

    def finish(self, slot: Slot) -> None:
        assert slot.state
        self.finished.add(slot.state.request_id)
        slot.release()

    def run_slot_task(self) -> None:
        """Empty an idle slot, or let one hold what another has."""
        idle = [slot for slot in self.slots if slot.is_idle]
        if not idle:
            return
        slot, source = self.chance.choice(idle), self.chance.choice(idle)
        with suppress(InvalidRequest, SnapshotError):
            if source.cached and self.chance.random() < 0.7:
                self.cache.load(slot, self.cache.save(source))
            else:
                self.cache.reset(slot)

    def assign(self) -> None:
        cells, have_streams = self.cache.cells, self.layout.can_truncate and not self.layout.is_unified
        for assignment in assign_slots(
            list(self.waiting), self.slots, self.cache.match, cells, have_streams=have_streams
        ):
            assert assignment.slot.is_idle
            self.waiting.remove(assignment.state)
            with self.nobody_who_works_loses_anything():
                self.cache.prepare_slot(assignment.slot, assignment.state, assignment.match)

    @contextmanager
    def nobody_who_works_loses_anything(self) -> Iterator[None]:
        """Except for a slot whose longer prefix could not be loaded."""
        had = {slot.slot_id: len(slot.cached) for slot in self.slots if slot.state}
        yield
        if not self.layout.fails:
            assert all(len(self.slots[slot_id].cached) >= n_cached for slot_id, n_cached in had.items())

    def step(self) -> None:
        for slot in self.slots:
            if slot.state and len(slot.state.tokens) > slot.n_ctx:
                kept = n_kept(slot.state.request.n_keep, slot.state.n_prompt, 0, slot.n_ctx, has_bos=False)
                self.cache.discard_range(slot, *discard_range(len(slot.cached), kept))
        with self.nobody_who_works_loses_anything():
            self.cache.share_progress()
        output = schedule_turn(self.slots, self.config, self.cache.cells, self.turns)
        assert len({each.slot.adapters for each in output.scheduled}) <= 1, "a batch has one set of adapters"
        oldest = min((slot.last_used for slot in self.slots if slot.state), default=0)
        for slot in output.evicted:
            assert slot.is_idle, "only idle slots give their cells up for good"
            self.cache.evict(slot)
        for slot in output.preempted:
            assert slot.state
            assert slot.state.request_id != oldest, "the oldest request keeps its slot"
            younger = [each.slot for each in output.scheduled if each.slot.last_used > slot.last_used]
            assert not [other for other in younger if other.is_generating], "the youngest are put back first"
            self.waiting = sorted([*self.waiting, slot.state], key=lambda state: state.request_id)
            slot.release()
            self.cache.evict(slot)
        if any(slot.state for slot in self.slots):
            assert output.scheduled or output.preempted, "a slot has a request, but nothing is computed"
        if not self.layout.fails:
            self.check_nothing_is_computed_twice(output.scheduled)
        assert sum(each.n_tokens for each in output.scheduled) <= self.config.n_batch
        for each in output.scheduled:
            self.compute(each)
        self.turns.record_time(0.3)

    def compute(self, scheduled: ScheduledSlot) -> None:
        slot, tokens = scheduled.slot, scheduled.tokens
        assert slot.state
        adapters = "".join(str(number) for number, _ in slot.adapters.scales)
        self.kv.compute(slot.slot_id, len(slot.cached), tokens, slot.scope, adapters)
        self.cache.commit(slot, tokens)
        if slot.n_uncomputed:
            return
        # One by one, or several at once that a grammar leaves no choice about.
        n_tokens = self.chance.choice([1, 1, 1, 1, 5])
        for _token in range(max(min(n_tokens, slot.n_ctx_left), 1)):
            slot.state.n_decoded += 1
            slot.state.tokens.append((sum(slot.state.tokens) + slot.state.n_decoded) % 4)
            is_full = slot.n_ctx_left < 0 and not self.layout.shifts
            if slot.state.n_decoded == self.n_to_generate[slot.state.request_id] or is_full:
                self.finish(slot)
                return

    def check_nothing_is_computed_twice(self, scheduled: list[ScheduledSlot]) -> None:
        for each in scheduled:
            slot = each.slot
            assert slot.state
            if not slot.state.request.cache_prompt:
                continue
            for other in self.slots:
                tokens = other.cached[: other.n_unshifted]
                n_held = self.n_usable(slot, tokens, other.scope, other.n_unshifted == len(other.cached))
                if self.layout.is_unified and not self.kv.can_share:
                    n_held = 0  # a copy would need cells, which there may not be
                assert other is slot or n_held - len(slot.cached) < self.cache.min_shared_tokens
            for other_scheduled in scheduled:
                other = other_scheduled.slot
                assert other.state
                is_prompt = other.state.n_decoded == slot.state.n_decoded == 0 and other.shifted_from is None
                if is_prompt and other.last_used < slot.last_used and self.layout.can_truncate:
                    coming = [*other.cached, *other_scheduled.tokens]
                    n_coming = self.n_usable(slot, coming, other.scope, True)
                    if self.layout.is_unified and not self.kv.can_share:
                        continue
                    n_twice = min(n_coming, len(slot.cached) + each.n_tokens) - len(slot.cached)
                    assert n_twice < self.cache.min_shared_tokens

    def n_usable(self, slot: Slot, tokens: list[int], scope: CacheScope, is_all: bool) -> int:
        """How many of another slot's tokens a slot's request may take."""
        assert slot.state
        n_usable = min(common_prefix_length(slot.state.tokens, tokens), slot.state.max_cached)
        n_usable = scope.shareable(slot.scope, n_usable)
        return n_usable if self.layout.can_truncate or (is_all and n_usable == len(tokens)) else 0

    def check_consistency(self) -> None:
        for slot in self.slots:
            assert self.kv.tokens(slot.slot_id) == slot.cached
            assert self.kv.n_unshifted(slot.slot_id) >= slot.n_unshifted
            assert self.kv.may_hold(slot.slot_id, slot.scope), "a slot holds private tokens of another scope"
            assert self.kv.is_computed_with(slot.slot_id, slot.scope), "a slot holds what other adapters computed"
            if slot.state:
                assert slot.state.tokens[: len(slot.cached)] == slot.cached
        if self.cache.cells:
            assert self.cache.cells.n_free == self.kv.n_ctx - self.kv.n_used


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), layouts)
def test_every_request_ends_however_many_come_behind_it_and_nothing_is_computed_twice(
    seed: int, layout: Layout
) -> None:
    chance = random.Random(seed)
    run = Run(layout, chance)
    n_arrived = 0
    for _step in range(3000):
        if len(run.waiting) < MAX_WAITING and chance.random() < 0.4:
            n_arrived += 1
            run.arrive(n_arrived)
        if chance.random() < 0.03:
            run.cancel_somebody()
        if chance.random() < 0.03:
            run.run_slot_task()
        run.assign()
        run.step()
        run.check_consistency()
        if run.finished >= set(range(1, N_REQUESTS + 1)):
            return
    pytest.fail("some requests never end")
