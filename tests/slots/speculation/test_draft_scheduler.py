"""The draft scheduler alone, with simulated step times."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slots.requests.draft import NO_DRAFT, Draft, Proposal
from slots.requests.request import CompletionRequest
from slots.requests.request_state import RequestState
from slots.requests.slot import Slot
from slots.speculation import DraftScheduler
from slots.speculation.cost_model import decode_passes
from slots.speculation.draft_scheduler import max_draft_tokens

N_CTX = 100_000


@pytest.fixture(scope="module", autouse=True)
def no_time_passes() -> Iterator[None]:
    """What drafting itself takes also counts, which on a busy machine can be any time."""
    with patch("slots.speculation.draft_scheduler.time", SimpleNamespace(perf_counter=lambda: 0.0)):
        yield


class ZeroDrafter:
    """Has a draft for every slot, always the same."""

    is_cheap = True
    seconds_per_token = 0.0
    n_max = 32

    def __init__(self) -> None:
        self.n_asked = 0

    def observe(self, slots: Sequence[Slot]) -> None:
        pass

    def can_draft(self, slot: Slot) -> bool:
        return True

    def draft(self, slots: Sequence[Slot], n_tokens: int) -> list[Draft]:
        self.n_asked += len(slots)
        return [Draft([0] * n_tokens) for _slot in slots]

    def close(self) -> None:
        pass


@dataclass
class SimulatedRun:
    """Steps of some slots whose texts are made up, and the seconds that they would take."""

    n_slots: int = 1
    is_unified: bool = False
    seconds_of_pass: Callable[[int], float] = lambda n_tokens: 0.01 * (0.7 + 0.3 * n_tokens)
    switch_seconds: float = 0.0

    def __post_init__(self) -> None:
        self.drafter = ZeroDrafter()
        self.scheduler = DraftScheduler(self.drafter, self.n_slots, 512, is_unified=self.is_unified)
        self.slots = [working(number) for number in range(self.n_slots)]
        self.seconds = self.n_generated = self.n_drafted = 0.0
        self._drafted_before = False

    def step(self, is_right: Callable[[], bool]) -> None:
        drafts = self.scheduler.propose(self.slots, [], None)
        tokens = {slot.slot_id: 1 + len(drafts.get(slot.slot_id, NO_DRAFT)) for slot in self.slots}
        seconds = sum(map(self.seconds_of_pass, decode_passes(tokens, is_unified=self.is_unified)))
        if self._drafted_before and not drafts:
            seconds += self.switch_seconds
        self._drafted_before = bool(drafts)
        right = {slot.slot_id: n_accepted(drafts.get(slot.slot_id, NO_DRAFT), is_right) for slot in self.slots}
        self.scheduler.record_step(seconds, right)
        self.seconds += seconds
        self.n_drafted += sum(map(len, drafts.values()))
        self.n_generated += self.n_slots + sum(right.values())
        for slot in self.slots:
            advance(slot, 1 + right[slot.slot_id])

    @property
    def slowdown(self) -> float:
        """What the text takes, by what it would have taken without drafts."""
        plain = sum(
            map(self.seconds_of_pass, decode_passes(dict.fromkeys(range(self.n_slots), 1), is_unified=self.is_unified))
        )
        return self.seconds / (plain * self.n_generated / self.n_slots)


def working(number: int, **options: Any) -> Slot:
    slot = Slot(number, N_CTX)
    slot.assign(RequestState(CompletionRequest((1, 2), **options), 1 + number))
    advance(slot, 1)
    return slot


def advance(slot: Slot, n_tokens: int) -> None:
    assert slot.state
    slot.state.tokens += [1] * n_tokens
    slot.state.n_decoded += n_tokens
    slot.cached = slot.state.tokens[:-1]


def n_accepted(draft: Draft, is_right: Callable[[], bool]) -> int:
    return next((n for n in range(len(draft)) if not is_right()), len(draft))


@pytest.mark.parametrize("n_slots", [1, 4])
@pytest.mark.parametrize("is_pool", [False, True])
@pytest.mark.parametrize("slope", [0.05, 0.3, 0.6, 1.0])
def test_drafts_that_are_always_wrong_cost_no_more_than_the_bound(n_slots: int, is_pool: bool, slope: float) -> None:
    run = SimulatedRun(n_slots, is_pool, lambda n_tokens: 0.01 * (1 - slope + slope * n_tokens), switch_seconds=0.002)
    for _ in range(1000):
        run.step(lambda: False)
    assert run.slowdown < 1.03


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 4), st.floats(0.0, 1.0), st.floats(0.05, 1.2), st.integers(0, 2**32))
def test_no_luck_costs_more_than_the_bound(n_slots: int, likelihood: float, slope: float, seed: int) -> None:
    run, random = (
        SimulatedRun(n_slots, seconds_of_pass=lambda n_tokens: 0.01 * (1 + slope * (n_tokens - 1))),
        Random(seed),
    )
    for _ in range(400):
        run.step(lambda: random.random() < likelihood)
    assert run.slowdown < 1.03


def test_the_bound_holds_when_steps_take_less_time_from_the_first_draft_on() -> None:
    run = SimulatedRun(2, seconds_of_pass=lambda n_tokens: 0.04 * (0.95 + 0.05 * n_tokens))
    run.slots[1] = working(1, n_draft=0)
    for _ in range(110):
        run.step(lambda: False)
    assert run.n_drafted == 0
    run.seconds_of_pass = lambda n_tokens: 0.01 * (0.95 + 0.05 * n_tokens)
    run.seconds = run.n_generated = 0.0
    for _ in range(1000):
        run.step(lambda: False)
    assert run.n_drafted > 0
    assert run.slowdown < 1.03


@pytest.mark.parametrize(("n_slots", "slope"), [(1, 0.05), (1, 0.5), (4, 0.05)])
def test_drafts_that_are_always_right_pay(n_slots: int, slope: float) -> None:
    run = SimulatedRun(n_slots, seconds_of_pass=lambda n_tokens: 0.01 * (1 - slope + slope * n_tokens))
    for _ in range(300):
        run.step(lambda: True)
    assert run.slowdown < (1.3 * slope if slope > 0.1 else 0.5)


def test_it_takes_up_drafting_when_a_text_begins_to_repeat_itself_and_leaves_off_when_it_stops() -> None:
    run = SimulatedRun()
    for _ in range(500):
        run.step(lambda: False)
    n_in_vain, run.n_drafted = run.n_drafted, 0
    for _ in range(100):
        run.step(lambda: True)
    n_right, run.n_drafted = run.n_drafted, 0
    for _ in range(500):
        run.step(lambda: False)
    assert n_in_vain < 50
    assert n_right > 500
    assert run.n_drafted < 100


def test_nothing_is_looked_for_where_nothing_can_be_won() -> None:
    run = SimulatedRun(seconds_of_pass=lambda n_tokens: 0.01 * 1.1 * n_tokens)
    for _ in range(1000):
        run.step(lambda: False)
    assert run.drafter.n_asked <= 25


@pytest.mark.parametrize(
    ("options", "n_decoded", "most"),
    [
        ({}, 1, N_CTX - 3),
        ({"n_predict": 10}, 1, 8),
        ({"n_predict": 10}, 9, 0),
        ({"n_predict": 10}, 12, 0),
        ({"n_draft": 3}, 1, 3),
        ({"n_draft": 0}, 1, 0),
    ],
)
def test_no_more_is_drafted_than_can_be_of_use(options: dict[str, int], n_decoded: int, most: int) -> None:
    slot = working(0, **options)
    assert slot.state
    slot.state.n_decoded = n_decoded
    assert max_draft_tokens(slot) == most


def test_a_slot_whose_request_wants_no_drafts_is_not_looked_at() -> None:
    drafter = ZeroDrafter()
    scheduler = DraftScheduler(drafter, 1, 512, is_unified=False)
    slot = working(0, n_draft=0)
    for _ in range(500):
        assert scheduler.propose([slot], [], None) == {}
        scheduler.record_step(0.01, {0: 0})
        advance(slot, 1)
    assert drafter.n_asked == 0


def test_each_slot_keeps_to_its_own_limit_while_others_draft_more() -> None:
    scheduler = DraftScheduler(ZeroDrafter(), 3, 512, is_unified=False)
    slots = [working(0), working(1, n_draft=3), working(2)]
    slots[2].n_ctx = 900
    n_drafted = [0, 0, 0]
    for _ in range(600):
        drafts = scheduler.propose(slots, [], None)
        for slot_id, draft in drafts.items():
            assert len(draft) <= max_draft_tokens(slots[slot_id])
            n_drafted[slot_id] += len(draft)
        scheduler.record_step(0.01, {slot_id: len(drafts.get(slot_id, NO_DRAFT)) for slot_id in range(3)})
        for slot in slots:
            if max_draft_tokens(slot):
                advance(slot, 1)
    assert n_drafted[0] > n_drafted[1] > 0
    assert n_drafted[2] > 0


def test_the_cells_of_a_pool_are_enough_for_all_drafts() -> None:
    scheduler = DraftScheduler(ZeroDrafter(), 2, 512, is_unified=True)
    slots = [working(0), working(1)]
    for _ in range(500):
        drafts = scheduler.propose(slots, [], 6)
        assert all(len(draft) <= 2 for draft in drafts.values())
        scheduler.record_step(0.01, {slot_id: len(drafts.get(slot_id, NO_DRAFT)) for slot_id in (0, 1)})
    assert drafts


class DrawnDrafter(ZeroDrafter):
    """Has drafts of tokens that were drawn, which end after one of them."""

    is_cheap = False
    seconds_per_token = 1e-9

    def draft(self, slots: Sequence[Slot], n_tokens: int) -> list[Draft]:
        proposal = Proposal(np.zeros(1, np.intp), np.ones(1))
        return [Draft([0], [proposal]) for _slot in slots]


def test_a_draft_that_was_drawn_is_used_whatever_its_length_turned_out_to_be() -> None:
    """Verifying a single token never pays here, and 8 of them do."""
    run = SimulatedRun(seconds_of_pass=lambda n_tokens: 0.01 if n_tokens == 1 else 0.021 + 0.0001 * n_tokens)
    run.drafter = run.scheduler._drafter = DrawnDrafter()
    for _ in range(3000):
        run.step(lambda: True)
    assert run.n_drafted > 0
