from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grammar.errors import GrammarError
from grammar.matcher import Matcher
from slots.errors import InvalidRequest
from slots.llama import Logits
from slots.requests.sampling_params import SamplingParams
from slots.sampling import Sampler
from slots.sampling.logits.bitmask import Words
from slots.sampling.logits.workspace import Workspace
from tests.slots.sampling.factories import examples, make_context, make_row, row_strategy
from tests.slots.sampling.logits.test_bitmask import make_words

OPTIONS: list[dict[str, Any]] = [
    {},
    {"temperature": 0.0},
    {"temperature": 0.0, "repeat_penalty": 1.3},
    {"top_k": 3, "repeat_penalty": 1.3},
    {"top_k": 0},
    {"top_k": 0, "top_p": 1.0, "min_p": 0.0},
    {"samplers": ("min_p", "temperature")},
    {"samplers": ("top_p", "top_k", "temperature")},
    {"samplers": ("temperature",)},
    {"top_n_sigma": 1.0, "typical_p": 0.7, "xtc_probability": 1.0, "xtc_threshold": 0.05},
    {"mirostat": 1},
    {"mirostat": 2},
    {"adaptive_target": 0.5, "samplers": ("top_k", "adaptive_p")},
    {"logit_bias": ((0, 3.0), (5, -2.0))},
    {"samplers": ("temperature",), "dynatemp_range": 0.7},
    {"top_p": 1.0, "min_p": 0.0, "dynatemp_range": 0.7},
    {"tfs_z": 0.9},
    {"samplers": ("tfs_z",), "tfs_z": 0.5},
    {"samplers": ("xtc",), "xtc_probability": 1.0, "xtc_threshold": 0.05, "min_keep": 5},
    {"samplers": ("top_n_sigma", "xtc", "temperature"), "top_n_sigma": 2.0, "xtc_probability": 1.0, "min_keep": 5},
]


class SomeTokens:
    """A grammar that allows the same tokens everywhere."""

    is_mask_expensive = False

    def __init__(self, words: Words, forced: tuple[int, ...] = ()) -> None:
        self.words = words
        self.accepted: list[int] = []
        self._forced = list(forced)

    def mask(self) -> Words:
        return self.words

    def n_allowed(self) -> int:
        return int(np.bitwise_count(self.words).sum())

    def allows(self, token: int) -> bool:
        return bool(self.words[token >> 5] >> np.uint32(token & 31) & np.uint32(1))

    def accept(self, token: int) -> None:
        self.accepted.append(token)

    def forced_tokens(self, max_tokens: int) -> list[int]:
        return self._forced[:max_tokens]


def make_sampler(options: dict[str, Any], matcher: SomeTokens | None) -> Sampler:
    params = SamplingParams(**{"seed": 5, **options})
    return Sampler(params, [1, 2, 3], make_context(100_000), cast(Matcher, matcher))


def sample(sampler: Sampler, row: Logits) -> int | str:
    """The token, or that there is none."""
    try:
        return sampler.sample(row.copy(), Workspace(row.size)).token
    except InvalidRequest:
        return "none"


@examples(400)
@given(
    row_strategy(st.sampled_from([40, 3000, 20_000])), st.integers(0, 2**32), st.floats(0, 1), st.sampled_from(OPTIONS)
)
def test_a_grammar_is_as_if_the_model_ruled_the_other_tokens_out(
    row: Logits, seed: int, share: float, options: dict[str, Any]
) -> None:
    random = np.random.default_rng(seed)
    allowed = {int(token) for token in (random.random(row.size) < share).nonzero()[0]} | {
        int(random.integers(row.size))
    }
    ruled_out = row.copy()
    ruled_out[[token for token in range(row.size) if token not in allowed]] = -np.inf
    expected = sample(make_sampler(options, None), ruled_out)
    assert sample(make_sampler(options, SomeTokens(make_words(row.size, allowed))), row) == expected
    assert expected == "none" or expected in allowed


def test_the_grammar_is_told_what_was_chosen() -> None:
    matcher = SomeTokens(make_words(50, {7}))
    sample(make_sampler({}, matcher), make_row(1, 50, "normal"))
    assert matcher.accepted == [7]


def test_probabilities_of_the_model_are_those_before_the_grammar() -> None:
    row = make_row(1, 50, "normal")
    best = int(row.argmax())
    sampler = make_sampler({"n_probs": 3}, SomeTokens(make_words(50, set(range(50)) - {best})))
    choice = sampler.sample(row, Workspace(50))
    assert choice.logprobs is not None
    assert choice.logprobs.top[0].token == best
    assert choice.token != best


def test_probabilities_after_sampling_are_those_of_what_the_grammar_leaves() -> None:
    row = make_row(1, 50, "normal")
    sampler = make_sampler({"n_probs": 9, "post_sampling_probs": True}, SomeTokens(make_words(50, {3, 4})))
    choice = sampler.sample(row, Workspace(50))
    assert choice.logprobs is not None
    assert {candidate.token for candidate in choice.logprobs.top} <= {3, 4}


def test_forced_tokens_are_taken_as_if_they_had_been_drawn() -> None:
    row = make_row(2, 50, "normal")
    everything = make_words(50, set(range(50)))
    forcing = SomeTokens(everything, forced=(7, 8))
    skipping = make_sampler({"repeat_penalty": 1.5}, forcing)
    drawing = make_sampler({"repeat_penalty": 1.5}, None)
    assert skipping.accept_forced() == [7, 8]
    for token in (7, 8):
        sample(drawing, np.where(np.arange(50) == token, 0, -np.inf).astype(np.float32))
    assert [sample(skipping, row) for _ in range(9)] == [sample(drawing, row) for _ in range(9)]
    assert forcing.accepted[:2] == [7, 8]


@pytest.mark.parametrize(
    "options", [{"n_probs": 1}, {"mirostat": 2}, {"adaptive_target": 0.5, "samplers": ("adaptive_p",)}]
)
def test_nothing_is_skipped_where_choosing_has_other_effects(options: dict[str, Any]) -> None:
    assert make_sampler(options, SomeTokens(make_words(50, {7}), forced=(7,))).accept_forced() == []


def test_a_forced_token_that_is_ruled_out_is_not_taken() -> None:
    biased = {"logit_bias": ((8, -np.inf),)}
    assert make_sampler(biased, SomeTokens(make_words(50, {7}), forced=(7, 8, 9))).accept_forced() == [7]


def test_no_more_forced_tokens_are_taken_than_there_is_room_for() -> None:
    forcing = SomeTokens(make_words(50, {7}), forced=(7, 8, 9))
    assert make_sampler({}, forcing).accept_forced(1, 2) == [7, 8]
    assert make_sampler({}, forcing).accept_forced(1, 0) == []
    assert make_sampler({}, forcing).accept_forced(1, -1) == []
    assert make_sampler({}, forcing).accept_forced(3, 2) == []
    assert forcing.accepted == [7, 8]


def test_a_grammar_that_hits_its_limits_is_named() -> None:
    class Exhausted(SomeTokens):
        def mask(self) -> Words:
            raise GrammarError("the grammar cannot go on: too complex")

    sampler = make_sampler({}, Exhausted(make_words(50, {7})))
    with pytest.raises(InvalidRequest, match="grammar: the grammar cannot go on"):
        sampler.sample(make_row(1, 50, "normal"), Workspace(50))
