"""The texts of all tokens in one array read like a sequence of bytes objects."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grammar.token_bytes import TokenBytes

pieces = st.lists(st.binary(max_size=4), max_size=12)


@given(pieces)
def test_it_is_a_sequence_of_the_same_texts(texts: list[bytes]) -> None:
    joined = TokenBytes.join(texts)
    assert len(joined) == len(texts)
    assert list(joined) == texts
    assert [joined[token] for token in range(len(texts))] == texts
    assert joined.lengths.tolist() == [len(text) for text in texts]


@given(st.lists(st.binary(max_size=3), min_size=1, max_size=12), st.binary(min_size=1, max_size=3))
def test_the_tokens_with_a_text_are_found(texts: list[bytes], text: bytes) -> None:
    assert TokenBytes.join(texts).find(text) == [token for token, each in enumerate(texts) if each == text]


@given(pieces, st.integers(0, 255))
def test_the_tokens_with_a_first_byte_are_found(texts: list[bytes], byte: int) -> None:
    assert TokenBytes.join(texts).beginning_with(byte).tolist() == [text[:1] == bytes([byte]) for text in texts]


def test_a_token_beyond_the_last_is_an_index_error() -> None:
    with pytest.raises(IndexError, match="token 1 is not in the vocabulary"):
        TokenBytes.join([b"a"])[1]
