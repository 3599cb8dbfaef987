from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slots.requests.request import CompletionRequest
from slots.requests.request_state import RequestState
from slots.requests.slot import Slot
from slots.speculation.ngram import MAX_MATCH, MAX_POSITIONS, NgramDrafter, find_continuation, has_earlier_match

TEXTS = st.lists(st.integers(0, 3), max_size=60)


def find(tokens: list[int], min_match: int, n_tokens: int) -> list[int]:
    return find_continuation(np.array(tokens, np.int32), min_match, n_tokens)


def find_by_definition(tokens: list[int], min_match: int, n_tokens: int) -> list[int]:
    """The same, one token at a time."""
    best = (0, -1)
    for index in range(len(tokens) - 1):
        n_same = 0
        while n_same < min(MAX_MATCH, index + 1) and tokens[index - n_same] == tokens[-1 - n_same]:
            n_same += 1
        best = max(best, (n_same, index))
    if best[0] < min_match:
        return []
    followed = tokens[best[1] + 1 :]
    return [followed[n % len(followed)] for n in range(n_tokens)]


@given(TEXTS, st.integers(1, MAX_MATCH), st.integers(1, 20))
def test_the_longest_and_latest_match_is_found(tokens: list[int], least: int, n_tokens: int) -> None:
    assert find(tokens, least, n_tokens) == find_by_definition(tokens, least, n_tokens)


@given(st.lists(st.sampled_from([0, 1, 256, 65_536, 257]), min_size=1, max_size=60), st.integers(1, MAX_MATCH))
def test_that_there_is_a_match_is_known_before(tokens: list[int], least: int) -> None:
    assert has_earlier_match(np.array(tokens, np.int32).tobytes(), least) == bool(find_by_definition(tokens, least, 1))


@pytest.mark.parametrize(
    ("tokens", "least", "followed"),
    [
        ([1, 2, 3, 9, 8, 7, 1, 2, 3], 3, [9, 8, 7]),
        ([1, 2, 3, 9, 8, 7, 1, 2, 3], 4, []),
        ([2, 3, 5, 5, 1, 2, 3, 9, 9, 2, 3, 6, 6, 1, 2, 3], 2, [9, 9, 2]),
        ([2, 3, 5, 5, 5, 2, 3, 6, 6, 6, 2, 3], 2, [6, 6, 6]),
        ([7, 8, 7, 8, 7, 8], 2, [7, 8, 7]),
        ([1], 1, []),
        ([], 1, []),
    ],
)
def test_what_followed_is_drafted(tokens: list[int], least: int, followed: list[int]) -> None:
    assert find(tokens, least, 3) == followed


def test_only_the_latest_places_are_compared() -> None:
    often = [5, 6] * (MAX_POSITIONS + 1)
    assert find([1, 2, 6, 9, *often, 1, 2, 6], 3, 1) == []
    assert find([*often, 1, 2, 6, 9, 8, 1, 2, 6], 3, 2) == [9, 8]


def test_it_follows_a_text_that_grows_is_cut_and_gives_way_to_another() -> None:
    lookup, slot = NgramDrafter(1, 2, 8), Slot(0, 100)

    def draft(*new: int) -> Sequence[int]:
        assert slot.state
        slot.state.tokens.extend(new)
        drafted = lookup.draft([slot], 2)[0].tokens
        assert lookup.can_draft(slot) == bool(drafted)
        return drafted

    slot.assign(RequestState(CompletionRequest((1, 2, 3, 4)), 1))
    assert draft() == []
    assert draft(1, 2) == [3, 4]
    assert slot.state
    slot.state.remove(2, 4)
    assert draft(7, 1, 2) == [7, 1]
    slot.assign(RequestState(CompletionRequest((5, 6, 7, 5, 6)), 2))
    assert draft() == [7, 5]
    slot.release()
    assert not lookup.draft([slot], 2)[0]
    assert not lookup.can_draft(slot)
