"""DRY against its definition: for each earlier place, how much of the text before it repeats the end of the text."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from slots.requests.sampling_params import SamplingParams
from slots.sampling.samplers.dry import Dry
from slots.sampling.sequence_breakers import SequenceBreakers
from tests.slots.sampling.factories import breaker_sequences, examples, make_breakers
from tests.slots.sampling.llama_cpp.oracle import full_row, listed_row

N_VOCAB = 5
N_CTX = 40
NO_BREAKERS = make_breakers({})

tokens = st.one_of(
    st.lists(st.integers(0, 1), max_size=24),
    st.lists(st.integers(0, 3), max_size=24),
    st.lists(st.integers(0, 3), min_size=1, max_size=4).map(lambda part: part * 5),
)
breakers = st.dictionaries(
    st.integers(0, 3), st.sets(st.lists(st.integers(0, 3), max_size=3).map(tuple), min_size=1, max_size=3), max_size=2
).map(make_breakers)
windows = st.one_of(st.integers(1, 12), st.sampled_from([-1, 1000]))


def params(allowed: int = 2, base: float = 1.75, multiplier: float = 0.8, window: int = -1) -> SamplingParams:
    return SamplingParams(
        dry_multiplier=multiplier, dry_base=base, dry_allowed_length=allowed, dry_penalty_last_n=window
    )


def n_since_breaker(text: list[int], breakers: SequenceBreakers) -> int:
    """How many tokens follow the last breaker: the one that starts last, of several the longest."""
    for start in reversed(range(len(text))):
        tails = breaker_sequences(breakers).get(text[start], set())
        ends = [start + 1 + len(tail) for tail in tails if tuple(text[start + 1 : start + 1 + len(tail)]) == tail]
        if ends:
            return len(text) - max(ends)
    return len(text)


def common_suffix(one: list[int], other: list[int]) -> int:
    """How many of the last tokens are the same."""
    n = 0
    while n < min(len(one), len(other)) and one[-1 - n] == other[-1 - n]:
        n += 1
    return n


def expected_penalties(options: SamplingParams, text: list[int], breakers: SequenceBreakers) -> dict[int, float]:
    """The penalties of tokens, by the definition."""
    window = options.dry_penalty_last_n if options.dry_penalty_last_n >= 0 else N_CTX
    text = text[max(len(text) - min(window, N_CTX), 0) :]
    limit = n_since_breaker(text, breakers)
    longest: dict[int, int] = {}
    for end in range(1, len(text)):
        length = min(common_suffix(text[:end], text), limit)
        if length >= options.dry_allowed_length:
            longest[text[end]] = max(longest.get(text[end], 0), length)
    return {
        token: options.dry_multiplier * options.dry_base ** (length - options.dry_allowed_length)
        for token, length in longest.items()
        if not breakers.is_breaker(token)
    }


def subtracted(dry: Dry) -> dict[int, float]:
    """The penalties that a sampler applies to tokens."""
    candidates = full_row(np.zeros(N_VOCAB, np.float32))
    dry(candidates)
    return {token: -float(logit) for token, logit in enumerate(candidates.logits) if logit != 0}


@examples(200)
@given(tokens, st.integers(0, 4), windows, breakers)
def test_each_token_pays_for_the_longest_repetition_it_would_continue(
    text: list[int], allowed: int, window: int, sequence_breakers: SequenceBreakers
) -> None:
    options = params(allowed, window=window)
    assert subtracted(Dry(options, text, N_CTX, sequence_breakers)) == pytest.approx(
        expected_penalties(options, text, sequence_breakers)
    )


@examples(100)
@given(tokens, tokens, st.integers(0, 4), windows, breakers)
@example([0, 1], [2, 0, 1, 2, 0, 1], 2, -1, make_breakers({2: {(0,)}}))
@example([0] * 60, [0] * 3, 2, -1, NO_BREAKERS)
def test_accepting_tokens_one_by_one_is_the_same_as_a_prompt_of_all(
    prompt: list[int], later: list[int], allowed: int, window: int, sequence_breakers: SequenceBreakers
) -> None:
    options = params(allowed, window=window)
    step_by_step = Dry(options, prompt, N_CTX, sequence_breakers)
    for n, token in enumerate(later, 1):
        step_by_step.accept(token)
        at_once = Dry(options, prompt + later[:n], N_CTX, sequence_breakers)
        assert subtracted(step_by_step) == pytest.approx(subtracted(at_once))


def test_by_the_numbers() -> None:
    """The last five tokens were there before, followed by a 3."""
    dry = Dry(params(base=2.0, multiplier=0.5), [1, 2, 3, 1, 2, 3, 1, 2], N_CTX, NO_BREAKERS)
    assert subtracted(dry) == {3: 0.5 * 2**3}


def test_a_repetition_shorter_than_allowed_is_free() -> None:
    assert subtracted(Dry(params(allowed=3), [1, 2, 3, 1, 2], N_CTX, NO_BREAKERS)) == {}
    assert subtracted(Dry(params(allowed=2), [1, 2, 3, 1, 2], N_CTX, NO_BREAKERS)) == {3: pytest.approx(0.8)}


def test_what_is_before_a_breaker_is_not_repeated() -> None:
    text = [1, 2, 0, 3, 4, 1, 2, 0, 3]
    assert set(subtracted(Dry(params(allowed=2), text, N_CTX, NO_BREAKERS))) == {4}
    assert subtracted(Dry(params(allowed=2), text, N_CTX, make_breakers({0: {()}}))) == {}
    assert set(subtracted(Dry(params(allowed=1), text, N_CTX, make_breakers({0: {()}})))) == {4}


def test_a_breaker_of_several_tokens_counts_when_all_of_it_is_there() -> None:
    text = [1, 2, 0, 3, 4, 1, 2, 0, 3]
    assert subtracted(Dry(params(allowed=2), text, N_CTX, make_breakers({2: {(0,)}}))) == {}
    assert set(subtracted(Dry(params(allowed=2), text, N_CTX, make_breakers({2: {(3,)}})))) == {4}


def test_a_token_that_is_a_breaker_by_itself_is_never_penalized() -> None:
    text = [1, 2, 3, 1, 2]
    assert subtracted(Dry(params(), text, N_CTX, make_breakers({3: {()}}))) == {}
    assert set(subtracted(Dry(params(), text, N_CTX, make_breakers({3: {(4,)}})))) == {3}


def test_the_exponent_is_limited_to_what_a_float_of_32_bits_holds() -> None:
    text = [1, 2] * 19
    assert subtracted(Dry(params(base=1e20, multiplier=1.0), text, N_CTX, NO_BREAKERS)) == {1: pytest.approx(1e20)}
    assert subtracted(Dry(params(base=3e38, multiplier=1e-10), text, N_CTX, NO_BREAKERS)) == {1: pytest.approx(3e28)}


def test_a_base_of_one_makes_all_repetitions_cost_the_same() -> None:
    assert subtracted(Dry(params(base=1.0), [1, 2] * 9, N_CTX, NO_BREAKERS)) == {1: pytest.approx(0.8)}


def test_candidates_that_were_taken_away_are_passed_over() -> None:
    candidates = listed_row(np.zeros(N_VOCAB, np.float32))
    candidates.keep(np.array([4, 2]))
    Dry(params(allowed=1), [1, 2, 3, 1, 4, 1], N_CTX, NO_BREAKERS)(candidates)
    assert candidates.logits.tolist() == pytest.approx([-0.8, -0.8])


def test_a_token_that_is_ruled_out_stays_so() -> None:
    candidates = full_row(np.array([0, 0, 0, -np.inf], np.float32))
    Dry(params(), [1, 2, 3, 1, 2], N_CTX, NO_BREAKERS)(candidates)
    assert candidates.logits.tolist() == [0, 0, 0, -np.inf]
