"""Rows with grammars get the same tokens from the kernel as from the samplers, to the last bit."""

from typing import Any, cast

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from grammar.errors import GrammarError
from grammar.matcher import Matcher
from slots.errors import InvalidRequest
from slots.requests.sampling_params import SamplingParams
from slots.sampling import RowSampler, SampledToken, Sampler
from slots.sampling.logits.bitmask import Words
from tests.slots.sampling.factories import KINDS, examples, make_context, make_row
from tests.slots.sampling.logits.test_bitmask import make_words
from tests.slots.sampling.samplers.test_grammar_mask import SomeTokens
from tests.slots.sampling.test_fused_chain import as_comparable, sample_alone

SIZE = 20_000
SHARES = [None, 0.0, 0.001, 0.04, 0.06, 0.1, 0.5, 0.999, 1.0]
"""Shares of tokens that a grammar allows, at least one token; None for no grammar."""
OPTIONS: list[dict[str, Any]] = [
    {},
    {"top_k": 3, "min_p": 0.3},
    {"repeat_penalty": 1.0, "top_p": 0.5, "min_keep": 5},
    {"logit_bias": ((0, 30.0), (5, -np.inf)), "presence_penalty": 2.0},
    {"dry_multiplier": 2.0, "top_k": 200},
]

rows_with_grammars = st.tuples(
    st.sampled_from(SHARES), st.sampled_from(OPTIONS), st.sampled_from(KINDS), st.booleans(), st.integers(0, 1000)
)


class ExpensiveMask(SomeTokens):
    """A grammar whose mask is expensive."""

    is_mask_expensive = True


def make_sampler(options: dict[str, Any], matcher: SomeTokens | None) -> Sampler:
    params = SamplingParams(**{"seed": 5, **options})
    return Sampler(params, [1, 2, 3], make_context(SIZE), cast(Matcher, matcher))


def make_matcher(share: float | None, *, is_contiguous: bool, is_dear: bool, seed: int) -> SomeTokens | None:
    """A grammar that allows a share of all tokens, scattered or contiguous."""
    if share is None:
        return None
    random = np.random.default_rng(seed)
    first = int(random.integers(SIZE))
    is_allowed = np.arange(SIZE) < share * SIZE if is_contiguous else random.random(SIZE) < share
    is_allowed = np.roll(is_allowed, first)
    is_allowed[first] = True
    words = np.packbits(is_allowed, bitorder="little").view(np.uint32)
    return ExpensiveMask(words) if is_dear else SomeTokens(words)


@examples(120)
@given(st.lists(rows_with_grammars, min_size=2, max_size=5), st.booleans())
def test_tokens_are_those_of_the_samplers(
    some: list[tuple[float | None, dict[str, Any], str, bool, int]], is_dear: bool
) -> None:
    def samplers() -> list[Sampler]:
        return [
            make_sampler(options, make_matcher(share, is_contiguous=is_contiguous, is_dear=is_dear, seed=seed))
            for share, options, _kind, is_contiguous, seed in some
        ]

    together, alone = samplers(), samplers()
    row_sampler = RowSampler(SIZE, 9, 1)
    for token in range(2):
        rows = np.stack([make_row(seed + token, SIZE, kind) for _share, _options, kind, _, seed in some])
        expected = [sample_alone(sampler, row.copy()) for sampler, row in zip(alone, rows, strict=True)]
        assert as_comparable(row_sampler.sample(together, rows.copy(), range(len(rows)))) == as_comparable(expected)


def test_a_logit_that_is_no_number_is_an_error_where_it_could_be_drawn() -> None:
    """The same together and alone."""
    rows = np.stack([make_row(1, SIZE, "normal")] * 2)
    rows[0, 8] = np.nan
    for n in (1, 2):
        matchers = [SomeTokens(make_words(SIZE, {7, 8, 9})) for _ in range(n)]
        samplers = [make_sampler({"top_p": 1.0, "min_p": 0.0}, matcher) for matcher in matchers]
        results = RowSampler(SIZE, 9, 1).sample(samplers, rows[:n].copy(), range(n))
        assert [type(result) for result in results] == [ArithmeticError, SampledToken][:n]


def test_a_grammar_that_hits_its_limits_does_not_disturb_the_others() -> None:
    class Exhausted(SomeTokens):
        def mask(self) -> Words:
            raise GrammarError("too complex")

    class Refusing(SomeTokens):
        def accept(self, token: int) -> None:
            raise GrammarError(f"not {token}")

    few = make_words(SIZE, {7})
    matchers = [SomeTokens(few), Exhausted(few), Refusing(few), None]
    rows = np.stack([make_row(1, SIZE, "normal")] * 4)
    results = RowSampler(SIZE, 9, 1).sample([make_sampler({}, matcher) for matcher in matchers], rows, range(4))
    assert [type(result) for result in results] == [SampledToken, InvalidRequest, InvalidRequest, SampledToken]
    results = RowSampler(SIZE, 9, 1).sample([make_sampler({}, matcher) for matcher in matchers[::2]], rows, range(2))
    assert [type(result) for result in results] == [SampledToken, InvalidRequest]
