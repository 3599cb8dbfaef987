from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from slots.sampling.samplers.penalties import RecentTokens
from tests.slots.sampling.factories import examples

tokens = st.lists(st.integers(0, 4), max_size=30)
windows = st.integers(0, 12)


def token_counts(recent: RecentTokens) -> dict[int, float]:
    assert len(set(recent.tokens)) == len(recent.tokens)
    return dict(zip(recent.tokens, recent.counts, strict=True))


def last_tokens(text: list[int], size: int) -> list[int]:
    return text[len(text) - size :] if size < len(text) else text


@examples(150)
@given(windows, tokens, tokens)
def test_the_tokens_in_the_window_are_counted(size: int, prompt: list[int], later: list[int]) -> None:
    recent = RecentTokens(size, prompt)
    assert token_counts(recent) == Counter(last_tokens(prompt, size))
    for n, token in enumerate(later, 1):
        recent.append(token)
        assert token_counts(recent) == Counter(last_tokens(prompt + later[:n], size))


@examples(60)
@given(windows, tokens, tokens)
def test_an_ignored_token_takes_its_place_and_is_not_counted(size: int, prompt: list[int], later: list[int]) -> None:
    recent = RecentTokens(size, prompt, ignored=2)
    for token in later:
        recent.append(token)
    expected = Counter(last_tokens(prompt + later, size))
    del expected[2]
    assert token_counts(recent) == expected


def test_hundreds_of_different_tokens_are_counted() -> None:
    text = [number * 7 % 500 for number in range(1200)]
    recent = RecentTokens(700, text[:100])
    for token in text[100:]:
        recent.append(token)
    assert token_counts(recent) == Counter(text[-700:])


def test_a_window_larger_than_any_text_takes_no_room() -> None:
    recent = RecentTokens(2**32 - 1, [3, 3])
    recent.append(1)
    assert token_counts(recent) == {3: 2, 1: 1}
