from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from slots.cache.chunk_reuse import MAX_COMPARED, MAX_RANGES, ranges_to_remove

tokens = st.lists(st.integers(0, 2), max_size=40)


class Watched(Sequence[int]):
    """Counts how many tokens are looked at."""

    def __init__(self, tokens: list[int]) -> None:
        self._tokens = tokens
        self.n_seen = 0

    def __len__(self) -> int:
        return len(self._tokens)

    def __getitem__(self, index: Any) -> Any:
        found = self._tokens[index]
        self.n_seen += len(found) if isinstance(index, slice) else 1
        return found


def test_a_chunk_behind_what_was_left_out_stays() -> None:
    assert ranges_to_remove([1, 2, 8, 8, 3, 4, 5], [1, 2, 3, 4, 5], 2, 3) == ([(2, 4)], 5)


def test_ranges_are_told_in_terms_of_what_the_ones_before_left() -> None:
    cached = [1, 8, 2, 3, 9, 9, 4, 5]
    assert ranges_to_remove(cached, [1, 2, 3, 4, 5], 1, 2) == ([(1, 2), (3, 5)], 5)


def test_a_chunk_that_is_too_short_does_not_stay() -> None:
    assert ranges_to_remove([1, 2, 8, 3, 4], [1, 2, 3, 4], 2, 3) == ([], 2)


def test_nothing_is_found_behind_tokens_that_the_cache_never_had() -> None:
    assert ranges_to_remove([1, 2, 3, 4, 5], [1, 9, 2, 3, 4, 5], 1, 3) == ([], 1)


def test_a_chunk_that_is_in_its_place_already_is_not_moved() -> None:
    assert ranges_to_remove([1, 2, 3, 4, 5], [1, 2, 3, 4, 5], 2, 3) == ([], 5)


def test_search_ends_after_so_many_ranges() -> None:
    ranges, n_matched = ranges_to_remove([7] + [1, 2] * 1000, [7] + [1] * 1000, 2, 1)
    assert (len(ranges), n_matched) == (MAX_RANGES, 2 + MAX_RANGES)


def test_a_text_that_repeats_itself_is_not_searched_for_ever() -> None:
    cached = Watched([1] * 30_000)
    assert ranges_to_remove(cached, [1] * 14_999 + [2] * 15_000, 0, 15_000) == ([], 0)
    assert cached.n_seen <= MAX_COMPARED + len(cached)


def test_places_where_nothing_agrees_count_too() -> None:
    cached = Watched([1] * 2 * MAX_COMPARED)
    assert ranges_to_remove(cached, [2], 0, 1) == ([], 0)
    assert cached.n_seen == MAX_COMPARED


def test_what_was_found_before_the_search_ends_is_kept() -> None:
    cached = [1, 8, 2, 3] + [1] * 2 * MAX_COMPARED + [4, 5]
    assert ranges_to_remove(cached, [1, 2, 3, 4, 5], 1, 2) == ([(1, 2)], 3)


def test_nothing_is_looked_at_behind_what_the_prompt_has() -> None:
    cached = Watched([1, 2, 3] + [9] * 1000)
    assert ranges_to_remove(cached, [1, 2, 3], 0, 3) == ([], 3)
    assert cached.n_seen == 3


@given(tokens, tokens, st.integers(1, 4))
def test_what_is_left_agrees_with_the_prompt(cached: list[int], prompt: list[int], min_chunk: int) -> None:
    ranges, n_matched = ranges_to_remove(cached, prompt, 0, min_chunk)
    left = list(cached)
    for start, end in ranges:
        assert 0 <= start < end <= len(left)
        del left[start:end]
    assert left[:n_matched] == prompt[:n_matched]
