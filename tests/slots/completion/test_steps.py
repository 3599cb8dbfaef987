"""Steps that only generate: what they call, and what they leave behind."""

import gc
from typing import Any

import pytest

from benchmarks.steps.llama_calls import counted_llama_calls
from slots.completion.input_batch import InputBatch
from slots.completion.runner import CompletionRunner
from slots.options import ContextOptions
from slots.requests.request import CompletionRequest
from slots.requests.request_state import RequestState
from slots.requests.sampling_params import SamplingParams
from slots.requests.stream import CompletionStream
from slots.scheduling.scheduler import ScheduledSlot
from tests.slots.engine_runner import EXACT, MakeRunner, load_engine

N_STEPS = 30
FOREVER = SamplingParams(temperature=0.8, seed=1, ignore_eos=True)
GREEDY_FOREVER = SamplingParams(temperature=0.0, ignore_eos=True)


class Steps:
    """An engine whose steps are run one by one, in this thread."""

    def __init__(self, **context: Any) -> None:
        self.engine = load_engine(ContextOptions(**{"n_ctx": 1024, **EXACT, **context}))
        completions = self.engine._completions
        assert completions
        self.completions: CompletionRunner = completions
        self._n_requests = 0

    def add(self, slot_id: int, *, sampling: SamplingParams = FOREVER, **options: Any) -> RequestState:
        """Starts a request in a slot."""
        self._n_requests += 1
        prompt = tuple(range(300, 310 + slot_id))
        request = CompletionRequest(prompt, sampling, slot_id=slot_id, cache_prompt=False, **options)
        state = RequestState(request, self._n_requests)
        stream = CompletionStream(state.n_prompt, cancel=lambda: None, release=lambda: None)
        self.completions.add(state, stream)
        return state

    def run(self, n_steps: int) -> None:
        for _step in range(n_steps):
            self.completions.step()
            self.completions.drain_events()


def calls_of_steps(steps: Steps) -> dict[str, float]:
    """Returns how often a step calls each function of llama.cpp, once its slots generate."""
    steps.run(3)
    gc.collect()  # the models of earlier tests
    gc.disable()
    try:
        with counted_llama_calls() as calls:
            steps.run(N_STEPS)
    finally:
        gc.enable()
    return {name: n / N_STEPS for name, n in calls.items()}


def test_a_step_calls_llama_cpp_twice_however_many_slots_generate() -> None:
    for n_slots in (1, 4):
        steps = Steps(n_parallel=n_slots)
        for slot_id in range(n_slots):
            steps.add(slot_id)
        assert calls_of_steps(steps) == {"llama_decode": 1, "llama_get_logits": 1}
        steps.engine.stop()


def test_a_slot_that_fills_a_gap_between_others_costs_one_more_call() -> None:
    steps = Steps(n_parallel=3)
    steps.add(0)
    steps.add(2)
    assert calls_of_steps(steps) == {"llama_decode": 1, "llama_get_logits": 1, "llama_memory_seq_rm": 1}
    steps.engine.stop()


def garbage_of_steps(steps: Steps) -> int:
    """Returns the number of objects that some steps leave to the garbage collector."""
    gc.collect()
    gc.disable()
    try:
        steps.run(N_STEPS)
        return gc.collect()
    finally:
        gc.enable()


@pytest.mark.parametrize("kv_unified", [False, True])
def test_a_step_makes_no_cyclic_garbage(kv_unified: bool) -> None:
    steps = Steps(n_parallel=3, kv_unified=kv_unified)
    steps.add(0, stop=("never",))
    steps.add(2, is_streamed=False)
    steps.run(3)
    # Threads of earlier tests may end meanwhile and leave some; a step that did would do so each time.
    assert min(garbage_of_steps(steps) for _attempt in range(3)) == 0
    steps.engine.stop()


def test_what_is_loaded_is_left_out_of_garbage_collections(make_runner: MakeRunner) -> None:
    gc.unfreeze()
    try:
        runner = make_runner(n_ctx=256)
        gc.disable()
        assert not any(each is runner.engine.vocab for each in gc.get_objects())
    finally:
        gc.enable()
        gc.unfreeze()


def test_a_step_is_planned_when_a_request_comes_or_goes_and_not_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps(n_parallel=2)
    plan, planned = steps.completions._schedule, []

    def note_and_plan() -> list[ScheduledSlot]:
        planned.append(step)
        return plan()

    monkeypatch.setattr(steps.completions, "_schedule", note_and_plan)
    steps.add(0)
    for step in range(12):
        if step == 4:
            steps.add(1, n_predict=4)
        steps.run(1)
    # In 0 and 4 a prompt is computed; the step after it has one token of each slot. In 7 the second request ends.
    assert planned == [0, 1, 4, 5, 8]
    steps.engine.stop()


def texts_of_a_busy_engine(**context: Any) -> list[tuple[int, ...]]:
    """Returns what requests generate that come and go while others generate."""
    steps = Steps(n_parallel=4, **context)
    states = [steps.add(0, sampling=GREEDY_FOREVER), steps.add(3, sampling=GREEDY_FOREVER, n_predict=9)]
    steps.run(5)
    states.append(steps.add(2, sampling=GREEDY_FOREVER, n_predict=20))
    steps.run(8)
    states.append(steps.add(3, sampling=GREEDY_FOREVER))
    steps.run(4)
    steps.completions.cancel(states[0].request_id)
    steps.run(12)
    steps.engine.stop()
    return [state.generated for state in states]


@pytest.mark.parametrize("kv_unified", [False, True])
def test_steps_that_follow_on_the_last_one_generate_what_planned_ones_do(
    kv_unified: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = texts_of_a_busy_engine(kv_unified=kv_unified)
    monkeypatch.setattr(InputBatch, "is_next", lambda self, cells: False)
    assert texts == texts_of_a_busy_engine(kv_unified=kv_unified)
    assert [len(text) for text in texts] == [17, 9, 20, 16]
