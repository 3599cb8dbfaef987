"""On one core or several, with rows that are done together, rows that are looked through and rows that are weighed."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from slots.errors import InvalidRequest
from slots.llama import Logits
from slots.requests.sampling_params import DEFAULT_SAMPLERS, SamplerName
from slots.sampling import RowSampler, SampledToken, Sampler
from tests.slots.sampling.factories import make_row, make_sampler, with_compiled_part

N_VOCAB = 40_000
N_LARGE = 150_000
KINDS = ("normal", "tied", "masked", "peaked", "normal", "flat", "narrow", "zeros")

MIXED: list[dict[str, Any]] = [
    {},
    {"top_k": 0, "top_p": 0.9},
    {"samplers": ()},
    {"temperature": 0.0, "repeat_penalty": 1.1},
    {"mirostat": 2},
    {"typical_p": 0.9, "top_k": 0, "min_p": 0.0, "n_probs": 5},
    {"repeat_penalty": 1.2, "tfs_z": 0.9, "top_n_sigma": 2.0, "n_probs": 5, "post_sampling_probs": True},
    {"samplers": DEFAULT_SAMPLERS[::-1], "xtc_probability": 0.5, "dry_multiplier": 0.8},
]
FAST: list[dict[str, Any]] = [
    {},
    {"repeat_penalty": 1.1},
    {"top_k": 100, "top_p": 1.0, "frequency_penalty": 0.3, "presence_penalty": -0.2},
    {"top_k": 1, "temperature": 3.0},
    {"top_k": 300, "top_p": 0.999, "min_p": 0.0, "temperature": 1.0},
    {"top_p": 0.0, "min_p": 1.0, "min_keep": 7, "logit_bias": ((5, 9.0), (6, -math.inf))},
    {"repeat_penalty": 0.7, "repeat_last_n": -1, "min_p": 0.3, "temperature": 0.01},
    {"samplers": (SamplerName.DRY, SamplerName.TOP_K, SamplerName.MIN_P), "dry_multiplier": 0.8},
]
LIGHT: list[dict[str, Any]] = [
    {},
    {"top_k": 1000, "top_p": 0.9, "repeat_penalty": 1.2},
    {"temperature": 0.0},
    {"temperature": 0.0, "presence_penalty": 3.0},
    {"top_k": 0, "top_p": 1.0, "min_p": 0.1, "logit_bias": ((5, 9.0),)},
    {"n_probs": 5, "post_sampling_probs": True},
    {"dry_multiplier": 0.8, "dry_allowed_length": 0},
    {"top_k": N_VOCAB - 1},
]

of_all_kinds = pytest.mark.parametrize(
    ("options", "n_vocab"),
    [
        (MIXED, N_VOCAB),
        (MIXED, N_LARGE),
        (LIGHT, N_LARGE),
        (FAST, N_LARGE),
        (FAST, N_VOCAB),
        (FAST, 3_000),
        (FAST, 400),
    ],
    ids=["mixed", "mixed, large", "light", "fast, large", "fast, medium", "fast, small", "fast, too small"],
)

MakeRowSampler = Callable[[int, int], RowSampler]


@pytest.fixture
def make() -> Iterator[MakeRowSampler]:
    """Makes row samplers from a vocabulary size and a number of threads, and closes them."""
    created: list[RowSampler] = []

    def make(n_vocab: int, n_threads: int) -> RowSampler:
        created.append(RowSampler(n_vocab, len(KINDS), n_threads))
        return created[-1]

    yield make
    for row_sampler in created:
        row_sampler.close()


def make_rows(step: int, n_vocab: int) -> Logits:
    return np.stack([make_row(10 * step + number, n_vocab, kind) for number, kind in enumerate(KINDS)])


def make_samplers(options: list[dict[str, Any]], n_vocab: int) -> list[Sampler]:
    return [make_sampler(n_vocab, seed=number, **params) for number, params in enumerate(options)]


def test_the_options_are_of_the_kinds_they_are_named_for() -> None:
    assert all(each.fused for each in make_samplers(FAST, N_LARGE))
    assert not any(each.traits.needs_softmax for each in make_samplers(LIGHT, N_LARGE))
    assert [each.traits.needs_softmax for each in make_samplers(MIXED, N_VOCAB)] == [
        False,
        True,
        True,
        False,
        True,
        True,
        False,
        True,
    ]


@of_all_kinds
def test_the_choices_are_those_of_each_sampler_alone(
    make: MakeRowSampler, options: list[dict[str, Any]], n_vocab: int
) -> None:
    """With one thread and with three, for several tokens in a row."""
    one_thread, three_threads = make(n_vocab, 1), make(n_vocab, 3)
    alone, here, there = (make_samplers(options, n_vocab) for _ in range(3))
    for step in range(3):
        step_rows = make_rows(step, n_vocab)
        expected = []
        for one, row in zip(alone, step_rows.copy(), strict=True):
            expected += make(n_vocab, 1).sample([one], row[np.newaxis], [0])
        assert all(isinstance(choice, SampledToken) for choice in expected)
        assert one_thread.sample(here, step_rows.copy(), range(len(here))) == expected
        assert three_threads.sample(there, step_rows.copy(), range(len(there))) == expected


@of_all_kinds
def test_the_choices_are_the_same_where_nothing_was_compiled(
    make: MakeRowSampler, options: list[dict[str, Any]], n_vocab: int
) -> None:
    step, results = make_rows(0, n_vocab), []
    for is_there in (True, False):
        with with_compiled_part(enabled=is_there):
            results.append(make(n_vocab, 3).sample(make_samplers(options, n_vocab), step.copy(), range(len(step))))
    assert results[0] == results[1]


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize(("temperature", "samplers"), [(0.0, DEFAULT_SAMPLERS), (1.0, ())])
def test_the_choices_have_the_order_of_the_rows(
    make: MakeRowSampler, n_threads: int, temperature: float, samplers: tuple[Any, ...]
) -> None:
    step = np.zeros((7, N_LARGE), np.float32)
    step[np.arange(7), 1000 * np.arange(7)] = 90.0
    chains = [make_sampler(N_LARGE, temperature=temperature, samplers=samplers) for _ in step]
    choices = make(N_LARGE, n_threads).sample(chains, step, range(len(chains)))
    assert choices == [SampledToken(1000 * number, None) for number in range(7)]


@of_all_kinds
def test_a_row_that_fails_does_not_disturb_the_others(
    make: MakeRowSampler, options: list[dict[str, Any]], n_vocab: int
) -> None:
    three_threads = make(n_vocab, 3)
    good = make_rows(0, n_vocab)
    expected = three_threads.sample(make_samplers(options, n_vocab), good.copy(), range(len(good)))
    for bad in range(len(options)):
        step = good.copy()
        step[bad] = -np.inf
        results = three_threads.sample(make_samplers(options, n_vocab), step, range(len(step)))
        assert isinstance(results[bad], InvalidRequest)
        assert results[:bad] + results[bad + 1 :] == expected[:bad] + expected[bad + 1 :]


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("n_threads", [1, 3])
def test_an_error_of_any_kind_is_a_result(
    make: MakeRowSampler, monkeypatch: pytest.MonkeyPatch, n_threads: int, temperature: float
) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise ZeroDivisionError

    chains = [make_sampler(N_LARGE, temperature=temperature, top_k=0, min_p=0.0) for _ in range(8)]
    for broken in chains[::2]:
        monkeypatch.setattr(broken, "accept", fail)
    results = make(N_LARGE, n_threads).sample(chains, np.zeros((8, N_LARGE), np.float32), range(8))
    assert [type(result) for result in results] == [ZeroDivisionError, SampledToken] * 4


@of_all_kinds
def test_samplers_may_have_some_of_the_rows(make: MakeRowSampler, options: list[dict[str, Any]], n_vocab: int) -> None:
    step = make_rows(0, n_vocab)
    places = range(1, len(step), 2)
    here, alone = (make_samplers(options, n_vocab)[1::2] for _ in range(2))
    expected = make(n_vocab, 3).sample(alone, step[1::2].copy(), range(len(alone)))
    assert make(n_vocab, 3).sample(here, step, places) == expected


@pytest.mark.parametrize("n_threads", [1, 3])
def test_no_rows_are_no_choices(make: MakeRowSampler, n_threads: int) -> None:
    assert make(N_VOCAB, n_threads).sample([], np.empty((0, N_VOCAB), np.float32), []) == []


def test_rows_of_a_small_vocabulary_are_sampled_too(make: MakeRowSampler) -> None:
    chains = [make_sampler(3, temperature=0.0), make_sampler(3, samplers=())]
    results = make(3, 2).sample(chains, np.array([[1, 3, 2], [99, 1, 0]], np.float32), [0, 1])
    assert results == [SampledToken(1, None), SampledToken(0, None)]


@pytest.mark.parametrize("n_broken", [1, 4])
@pytest.mark.parametrize("options", [{}, {"repeat_penalty": 1.1}, {"temperature": 0.0}, {"top_k": 0}, {"mirostat": 2}])
def test_logits_that_are_not_numbers_are_an_error_of_their_rows(
    make: MakeRowSampler, options: dict[str, Any], n_broken: int
) -> None:
    step = make_rows(0, N_VOCAB)[:4]
    step[:n_broken] = np.nan
    results = make(N_VOCAB, 1).sample(make_samplers([options] * 4, N_VOCAB), step, range(4))
    assert [type(result) for result in results] == [ArithmeticError] * n_broken + [SampledToken] * (4 - n_broken)
