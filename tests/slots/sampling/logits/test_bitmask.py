import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from slots.sampling.logits import bitmask
from tests.slots.sampling.factories import examples

sets = st.integers(1, 300).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1))))


def make_words(n: int, tokens: set[int]) -> bitmask.Words:
    """The bits of a set among n tokens."""
    words = np.zeros((n + 31) // 32, np.uint32)
    for token in tokens:
        words[token // 32] |= np.uint32(1 << token % 32)
    return words


@examples(200)
@given(sets)
def test_bits_say_which_tokens_a_set_has(made: tuple[int, set[int]]) -> None:
    n, tokens = made
    words = make_words(n, tokens)
    assert bitmask.tokens_in(words).tolist() == sorted(tokens)
    assert bitmask.words_of(np.array(sorted(tokens), np.intp), n).tolist() == words.tolist()
    assert bitmask.complement(words, np.empty(n, np.bool_)).tolist() == [token not in tokens for token in range(n)]
