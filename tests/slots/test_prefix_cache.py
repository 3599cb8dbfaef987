from hypothesis import given
from hypothesis import strategies as st

from slots.prefix_cache import common_prefix_length, reusable_prefix_length

tokens = st.lists(st.integers(0, 3), max_size=600)


@given(tokens, tokens, tokens)
def test_the_common_prefix_is_where_two_sequences_first_differ(
    common: list[int], one: list[int], two: list[int]
) -> None:
    a, b = common + one, common + two
    n = common_prefix_length(a, b)
    assert a[:n] == b[:n]
    assert n == min(len(a), len(b)) or a[n] != b[n]


def test_sequences_that_share_nothing_have_no_common_prefix() -> None:
    assert common_prefix_length([1, 2], [3]) == 0
    assert common_prefix_length([], [1]) == 0


def test_the_last_token_of_a_prompt_is_always_computed() -> None:
    assert reusable_prefix_length([1, 2, 3], [1, 2, 3]) == 2
    assert reusable_prefix_length([1, 2, 3, 4], [1, 2, 3]) == 2
    assert reusable_prefix_length([1, 2], [1, 2, 3]) == 2
