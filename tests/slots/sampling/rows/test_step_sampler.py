"""Texts are the same whether llama.cpp finds the largest logits or not."""

import asyncio
import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import pytest

from grammar.source import GrammarSource
from slots.completion.runner import CompletionRunner
from slots.llama import TopTokens
from slots.options import ContextOptions, EngineOptions, SpeculationOptions
from slots.requests.request import CompletionRequest
from slots.requests.sampling_params import DEFAULT_SAMPLERS, SamplerName, SamplingParams
from slots.sampling import CandidateSampler, Result, Sampler
from tests.slots.engine_runner import EngineRunner, load_engine, read

STORY = "Once upon a time, there was a child called"
NAMES = (
    "Lily",
    "Tom",
    "Ben",
    "Sue",
    "Max",
    "Ann",
    "Tim",
    "Mia",
    "Sam",
    "Kim",
    "Bob",
    "Amy",
    "Ian",
    "Zoe",
    "Joe",
    "Eve",
)
N_SLOTS = 4

AMONG_LARGEST: list[dict[str, Any]] = [
    {},
    {"temperature": 0.0},
    {"temperature": 0.0, "repeat_penalty": 1.0, "dry_multiplier": 0.8},
    {"repeat_penalty": 1.0, "top_p": 0.8},
    {"presence_penalty": 1.0, "frequency_penalty": 0.5, "top_k": 100},
    {"xtc_probability": 0.5, "xtc_threshold": 0.05},
    {"dynatemp_range": 0.6, "typical_p": 0.9},
    {"dry_multiplier": 0.8, "dry_allowed_length": 1, "min_p": 0.2},
    {"logit_bias": ((300, -2.0), (301, -math.inf)), "n_probs": 3, "post_sampling_probs": True},
    {"samplers": (*DEFAULT_SAMPLERS, SamplerName.ADAPTIVE_P), "adaptive_target": 0.5},
]
OF_WHOLE_ROWS: list[dict[str, Any]] = [
    {"top_k": 0},
    {"mirostat": 2},
    {"repeat_last_n": -1},
    {"logit_bias": ((300, 2.0),)},
    {"n_probs": 2},
    {"top_n_sigma": 1.5},
]


MIXED = [options for pair in zip(AMONG_LARGEST[:8], (OF_WHOLE_ROWS * 2)[:8], strict=True) for options in pair]

Gather = Callable[[int], None]


def start(options: EngineOptions | None = None, **context: Any) -> EngineRunner:
    """Start an engine whose output depends on the request alone."""
    sizes = {"n_parallel": N_SLOTS, "n_ctx": N_SLOTS * 512, "n_threads": 1, "flash_attention": "off"}
    return EngineRunner(load_engine(ContextOptions(**{**sizes, **context}), options))


@pytest.fixture(scope="module", params=[False, True], ids=["streams", "pool"])
def runners(request: pytest.FixtureRequest) -> Iterator[list[EngineRunner]]:
    """One engine that samples full rows, and one that lets llama.cpp find the largest logits."""
    runners = [start(kv_unified=request.param, backend_sampling=backend) for backend in (False, True)]
    yield runners
    for runner in runners:
        runner.close()


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts the tokens sampled from the largest logits, for each step with any."""
    counts: list[int] = []
    sample = CandidateSampler.sample

    def count(sampler: CandidateSampler, samplers: Sequence[Sampler], top: TopTokens) -> list[Result]:
        counts.append(len(samplers))
        return sample(sampler, samplers, top)

    monkeypatch.setattr(CandidateSampler, "sample", count)
    return counts


@pytest.fixture
def gather(monkeypatch: pytest.MonkeyPatch) -> Gather:
    """Lets each engine wait for n requests, so that they are computed in the same batches."""
    step = CompletionRunner.step

    def wait_for(n: int) -> None:
        started: set[CompletionRunner] = set()

        def step_if_complete(runner: CompletionRunner, *arguments: Any) -> None:
            if runner in started or len(runner.waiting) == n:
                started.add(runner)
                step(runner, *arguments)

        monkeypatch.setattr(CompletionRunner, "step", step_if_complete)

    return wait_for


async def generate(runner: EngineRunner, prompt: str, options: dict[str, Any], **more: Any) -> list[int]:
    sampling = SamplingParams(**{"seed": 7, **options})
    request = CompletionRequest(runner.prompt(prompt), sampling, n_predict=24, **more)
    return [token.token for token in (await read(runner.engine.submit(request))).tokens]


def assert_same(runners: Sequence[EngineRunner], *requests: tuple[str, dict[str, Any], dict[str, Any]]) -> None:
    """Both engines generate the same tokens for concurrent requests."""
    answers: list[list[list[int]]] = []

    async def ask(runner: EngineRunner) -> None:
        answers.append(
            await asyncio.gather(*(generate(runner, prompt, options, **more) for prompt, options, more in requests))
        )

    for runner in runners:
        runner.run(partial(ask, runner))
    assert answers[0] == answers[1]
    assert all(answers[0])


@pytest.mark.parametrize("options", AMONG_LARGEST)
def test_tokens_are_chosen_among_the_largest_logits_where_these_decide(
    runners: list[EngineRunner], options: dict[str, Any], counts: list[int]
) -> None:
    assert_same(runners, (STORY, options, {}))
    assert counts
    assert set(counts) == {1}


@pytest.mark.parametrize("options", OF_WHOLE_ROWS)
def test_tokens_are_chosen_from_whole_rows_where_these_decide(
    runners: list[EngineRunner], options: dict[str, Any], counts: list[int]
) -> None:
    assert_same(runners, (STORY, options, {}))
    assert counts == []


def test_who_asks_for_it_gets_whole_rows(runners: list[EngineRunner], counts: list[int]) -> None:
    assert_same(runners, (STORY, {}, {"backend_sampling": False}))
    assert counts == []


def test_many_requests_at_once_of_both_kinds(runners: list[EngineRunner], counts: list[int], gather: Gather) -> None:
    gather(len(MIXED))
    prompts = [f"{STORY} {name}" for name in NAMES]
    places = [{"slot_id": number % N_SLOTS} for number in range(len(MIXED))]
    assert_same(runners, *zip(prompts, MIXED, places, strict=True))
    assert max(counts) > 1


def test_many_requests_at_once_among_the_largest_logits(
    runners: list[EngineRunner], counts: list[int], gather: Gather
) -> None:
    gather(16)
    options = [{**AMONG_LARGEST[number % len(AMONG_LARGEST)], "seed": number} for number in range(16)]
    assert_same(runners, *((f"{STORY} {name}", params, {}) for name, params in zip(NAMES, options, strict=True)))
    assert max(counts) == N_SLOTS


def test_a_slot_that_goes_from_one_kind_to_the_other_keeps_its_prefix(
    runners: list[EngineRunner], counts: list[int]
) -> None:
    text = STORY
    for number, options in enumerate(MIXED):
        assert_same(runners, (text, {**options, "seed": number}, {"slot_id": 1}))
        text += f" {NAMES[number]}"
    assert set(counts) == {1}


def test_beside_a_grammar_that_looks_at_the_whole_row(
    runners: list[EngineRunner], counts: list[int], gather: Gather
) -> None:
    gather(2)
    grammar = runners[0].engine.grammars.compile(GrammarSource("gbnf", 'root ::= ("red" | "blue" | " ")+'))
    assert_same(runners, (STORY, {}, {"slot_id": 0, "grammar": grammar}), (STORY, {"top_k": 5}, {"slot_id": 1}))
    assert counts
    assert set(counts) == {1}


def test_a_request_of_which_tokens_are_guessed_ahead_gets_whole_rows(counts: list[int]) -> None:
    speculation = SpeculationOptions(spec_types=("ngram",))
    runner = start(EngineOptions(speculation=speculation), backend_sampling=True)
    try:
        runner.run(lambda: generate(runner, STORY, {}))
        assert counts == []
        runner.run(lambda: generate(runner, STORY, {}, n_draft=0))
        assert counts
    finally:
        runner.close()
