import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from slots.request import SamplingParams
from slots.sampling.penalties import LogitBias, Penalties, RecentTokens

NONE = SamplingParams(repeat_penalty=1.0)


def penalized(params: SamplingParams, seen: list[int], row: list[float], newline: int | None = None) -> list[float]:
    """What the penalties make of a row after some tokens were seen."""
    logits = np.array(row, np.float32)
    Penalties(params, seen, n_ctx=1000, newline=newline).apply(logits)
    return [round(float(logit), 5) for logit in logits]


@given(st.integers(1, 5), st.lists(st.integers(0, 3), max_size=8), st.lists(st.integers(0, 3), max_size=20))
def test_recent_tokens_are_counted_within_the_window_only(size: int, prompt: list[int], later: list[int]) -> None:
    recent = RecentTokens(size, prompt)
    for token in later:
        recent.append(token)
    window = (prompt + later)[-size:]
    tokens, counts = recent.counts()
    assert dict(zip(tokens.tolist(), counts.tolist(), strict=True)) == {t: window.count(t) for t in set(window)}


def test_the_repeat_penalty_lowers_the_logits_of_seen_tokens_whatever_their_sign() -> None:
    params = SamplingParams(repeat_penalty=2.0)
    assert penalized(params, [0, 1], [4.0, -4.0, 4.0]) == [2.0, -8.0, 4.0]


def test_the_frequency_penalty_counts_and_the_presence_penalty_does_not() -> None:
    params = SamplingParams(repeat_penalty=1.0, frequency_penalty=0.5, presence_penalty=1.0)
    assert penalized(params, [0, 0, 1], [4.0, 4.0, 4.0]) == [2.0, 2.5, 4.0]


def test_only_the_last_tokens_are_penalized() -> None:
    params = SamplingParams(repeat_penalty=2.0, repeat_last_n=1)
    assert penalized(params, [0, 1], [4.0, 4.0]) == [4.0, 2.0]


def test_looking_back_upon_no_token_penalizes_none() -> None:
    params = SamplingParams(repeat_penalty=2.0, repeat_last_n=0)
    assert penalized(params, [0, 1], [4.0, 4.0]) == [4.0, 4.0]


def test_looking_back_upon_the_whole_context_penalizes_all_that_was_seen() -> None:
    params = SamplingParams(repeat_penalty=2.0, repeat_last_n=-1)
    assert penalized(params, [0] + [1] * 100, [4.0, 4.0]) == [2.0, 2.0]


def test_line_ends_can_be_spared() -> None:
    params = SamplingParams(repeat_penalty=2.0, penalize_nl=False)
    assert penalized(params, [0, 1], [4.0, 4.0], newline=1) == [2.0, 4.0]


def test_a_ruled_out_token_stays_ruled_out() -> None:
    assert penalized(SamplingParams(repeat_penalty=2.0), [0], [-np.inf, 1.0]) == [-np.inf, 1.0]


def test_neutral_penalties_change_nothing() -> None:
    assert penalized(NONE, [0, 1], [4.0, -4.0]) == [4.0, -4.0]


def test_an_extreme_penalty_gives_no_infinity() -> None:
    row = penalized(SamplingParams(repeat_penalty=1e-300), [0], [4.0, 1.0])
    assert np.isfinite(row).all()


def test_biases_are_added_and_add_up() -> None:
    row = np.zeros(3, np.float32)
    LogitBias([(0, 1.5), (1, -2.0), (0, 1.0)], ruled_out=[]).apply(row)
    assert row.tolist() == [2.5, -2.0, 0.0]


def test_a_token_that_is_ruled_out_stays_so_whatever_its_bias() -> None:
    row = np.zeros(2, np.float32)
    LogitBias([(0, 100.0)], ruled_out=[0]).apply(row)
    assert row.tolist() == [-np.inf, 0.0]
