"""Requests with different adapters take turns, and none waits for longer than the others' turns take."""

import random
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slots.cache.cell_pool import CellPool
from slots.requests.adapters import NO_ADAPTERS, AdapterSet
from slots.requests.request import CompletionRequest
from slots.requests.request_state import RequestState
from slots.requests.scope import CacheScope
from slots.requests.slot import Slot
from slots.scheduling.adapter_turns import MAX_STEPS, AdapterTurns
from slots.scheduling.scheduler import SchedulerConfig, SchedulerOutput, schedule_turn

A, B, C = (AdapterSet.of({number: 1.0}) for number in range(3))
CONFIG = SchedulerConfig(n_batch=64, n_chunk=16)
STEP = 0.004
"""Seconds of a step, unless a test says otherwise."""


def make_turns(n_steps: int = 4) -> AdapterTurns:
    """Turns of so many steps."""
    return AdapterTurns(switch_seconds=n_steps * STEP / 10 - 1e-6)


def take_turns(turns: AdapterTurns, sets: list[AdapterSet], n_steps: int, seconds: float = STEP) -> list[AdapterSet]:
    """Returns the sets of the next steps, in each of which all sets have something to compute."""
    taken = []
    for _step in range(n_steps):
        taken.append(turns.order(sets)[0])
        turns.record_step(taken[-1])
        turns.record_time(seconds)
    return taken


def test_sets_take_turns_that_are_long_in_comparison_to_a_switch() -> None:
    assert take_turns(make_turns(), [A, B, C], 13) == [A] * 4 + [B] * 4 + [C] * 4 + [A]


def test_the_set_that_waits_longest_is_next() -> None:
    turns = make_turns()
    take_turns(turns, [A], 1)
    take_turns(turns, [A, C], 1)
    assert take_turns(turns, [B, A, C], 4) == [A, A, C, C]


def test_a_set_alone_goes_on() -> None:
    assert take_turns(make_turns(), [A], 12) == [A] * 12


def test_a_set_that_has_ended_leaves_its_turn_to_the_next() -> None:
    turns = make_turns()
    take_turns(turns, [A, B, C], 1)
    assert take_turns(turns, [B, C], 1) == [B]


def test_a_set_that_comes_after_long_steps_of_another_is_next() -> None:
    turns = make_turns()
    take_turns(turns, [A], 3)
    assert take_turns(turns, [A], 1) == [A]
    assert take_turns(turns, [A, B], 1) == [B]


def test_a_long_step_ends_a_turn() -> None:
    assert take_turns(make_turns(), [A, B], 3, seconds=1.0) == [A, B, A]


def test_short_steps_do_not_make_a_turn_endless() -> None:
    assert take_turns(make_turns(), [A, B], 2 * MAX_STEPS, seconds=0.0) == [A] * MAX_STEPS + [B] * MAX_STEPS


def test_a_step_is_repeated_only_within_a_turn_or_if_nobody_waits() -> None:
    turns = make_turns()
    take_turns(turns, [A, B], 3)
    assert turns.may_go_on
    take_turns(turns, [A, B], 1)
    assert not turns.may_go_on
    alone = make_turns()
    take_turns(alone, [A], 4)
    assert alone.may_go_on


def busy(slot_id: int, adapters: AdapterSet, n_prompt: int, n_base: int = 0, request_id: int = 0) -> Slot:
    slot = Slot(slot_id, 1000)
    scope = CacheScope(adapters=str(adapters) if adapters.scales else "", n_base=n_base)
    request = CompletionRequest(tuple(range(n_prompt)), adapters=adapters, scope=scope)
    slot.assign(RequestState(request, request_id or slot_id + 1))
    return slot


def plan(*slots: Slot, cells: CellPool | None = None) -> SchedulerOutput:
    return schedule_turn(slots, CONFIG, cells, make_turns())


def test_a_step_computes_the_slots_of_one_set() -> None:
    output = plan(busy(0, A, 5), busy(1, B, 5), busy(2, A, 5))
    assert [each.slot.slot_id for each in output.scheduled] == [0, 2]


def test_a_set_for_which_there_are_no_cells_leaves_the_step_to_the_next() -> None:
    generates = busy(0, A, 10, request_id=2)
    assert generates.state
    generates.cached, generates.state.n_decoded = generates.state.tokens[:-1], 1
    begins = busy(1, B, 30, request_id=3)
    cells = CellPool(12, 2)
    cells.add(0, 9)
    turns = make_turns(1)
    take_turns(turns, [A, B], 1)  # so that it is B's turn
    output = schedule_turn([generates, begins], CONFIG, cells, turns)
    assert [each.slot.slot_id for each in output.scheduled] == [0]


def test_a_prompt_of_one_set_is_cut_while_others_generate() -> None:
    generates = busy(0, A, 10)
    assert generates.state
    generates.cached, generates.state.n_decoded = generates.state.tokens[:-1], 1
    turns = make_turns(1)
    take_turns(turns, [A, B], 1)
    output = schedule_turn([generates, busy(1, B, 60)], CONFIG, None, turns)
    assert [(each.slot.slot_id, each.n_tokens) for each in output.scheduled] == [(1, CONFIG.n_chunk)]


def test_a_prompt_is_cut_where_its_adapters_begin() -> None:
    slot = busy(0, A, 20, n_base=8)
    assert slot.adapters == NO_ADAPTERS
    assert [each.n_tokens for each in plan(slot).scheduled] == [8]
    slot.cached = list(range(8))
    assert slot.adapters == A
    assert [each.n_tokens for each in plan(slot).scheduled] == [12]


@dataclass
class Client:
    """A slot whose requests follow each other, with pauses."""

    slot_id: int
    slot: Slot | None = None
    n_left: int = 0
    """Steps until its request ends."""
    n_waited: int = 0
    """Steps of others in a row."""
    waited_seconds: float = 0.0
    """How long these took."""

    def begin(self, chance: random.Random, request_id: int, n_sets: int) -> None:
        adapters = AdapterSet.of({chance.randrange(n_sets): 1.0})
        self.slot = busy(self.slot_id, adapters, chance.choice([1, 1, 5, 200]), request_id=request_id)
        self.n_left, self.n_waited, self.waited_seconds = chance.choice([1, 3, 50]), 0, 0.0

    def advance(self, n_tokens: int) -> None:
        """The slot had a part in a step."""
        assert self.slot
        assert self.slot.state
        self.n_waited, self.waited_seconds = 0, 0.0
        self.slot.cached += self.slot.state.tokens[len(self.slot.cached) :][:n_tokens]
        if not self.slot.n_uncomputed:
            self.slot.state.n_decoded += 1
            self.slot.state.tokens.append(7)
            self.n_left -= 1
        if not self.n_left:
            self.slot = None


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 8), st.integers(1, 8), st.floats(0.0001, 0.01))
def test_nobody_waits_longer_than_the_turns_of_the_others(
    seed: int, n_slots: int, n_sets: int, switch_seconds: float
) -> None:
    chance, turns, n_requests = random.Random(seed), AdapterTurns(switch_seconds), 0
    clients = [Client(slot_id) for slot_id in range(n_slots)]
    config = SchedulerConfig(n_batch=2048, n_chunk=512)
    max_turn_seconds = 10 * switch_seconds + 0.1
    for _step in range(400):
        for client in clients:
            if client.slot is None and chance.random() < 0.3:
                n_requests += 1
                client.begin(chance, n_requests, n_sets)
        slots = [client.slot for client in clients if client.slot]
        scheduled = {each.slot.slot_id: each.n_tokens for each in schedule_turn(slots, config, None, turns).scheduled}
        seconds = chance.choice([0.0001, 0.001, 0.1])
        turns.record_time(seconds)
        for client in clients:
            client.n_waited += 1
            client.waited_seconds += seconds
            if client.slot_id in scheduled:
                client.advance(scheduled[client.slot_id])
            if client.slot:
                assert client.n_waited <= (n_slots - 1) * MAX_STEPS
                assert client.waited_seconds <= (n_slots - 1) * max_turn_seconds + 1e-9


def test_the_bound_is_reached() -> None:
    turns, slots = AdapterTurns(1.0), [busy(n, AdapterSet.of({n: 1.0}), 900) for n in range(3)]
    taken = [schedule_turn(slots, SchedulerConfig(1, 1), None, turns).scheduled[0].slot.slot_id for _ in range(50)]
    assert taken.index(2) == 2 * MAX_STEPS


@pytest.mark.parametrize("scale", [0.0, -0.0])
def test_a_scale_of_zero_is_no_adapter(scale: float) -> None:
    assert AdapterSet.of({0: scale, 1: 2.0}) == AdapterSet.of({1: 2.0})
