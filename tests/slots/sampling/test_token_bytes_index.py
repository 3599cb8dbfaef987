from hypothesis import given
from hypothesis import strategies as st

from grammar.token_bytes import TokenBytes
from slots.sampling.sequence_breakers import TokenBytesIndex
from tests.slots.sampling.factories import examples

strings = st.text("ab\n", max_size=4).map(str.encode)
pieces = st.lists(strings, min_size=1, max_size=12)
needles = st.text("ab\n", min_size=1, max_size=5).map(str.encode)


def make_index(pieces: list[bytes]) -> TokenBytesIndex:
    return TokenBytesIndex(TokenBytes.join(pieces))


@examples(150)
@given(pieces, needles)
def test_tokens_with_a_string_in_them_are_found(token_bytes: list[bytes], string: bytes) -> None:
    assert make_index(token_bytes).containing(string).tolist() == [
        token for token, piece in enumerate(token_bytes) if string in piece
    ]


@examples(150)
@given(pieces, needles)
def test_tokens_that_end_with_a_string_are_found(token_bytes: list[bytes], string: bytes) -> None:
    assert make_index(token_bytes).ending_with(string).tolist() == [
        token for token, piece in enumerate(token_bytes) if piece.endswith(string)
    ]


def test_a_string_across_two_pieces_is_in_neither() -> None:
    assert make_index([b"xa", b"by", b""]).containing(b"ab").tolist() == []


def test_tokens_without_text_come_in_anywhere() -> None:
    index = make_index([b"", b"ab", b"", b"", b"b", b""])
    assert index.containing(b"b").tolist() == [1, 4]
    assert index.ending_with(b"b").tolist() == [1, 4]


def test_a_vocabulary_without_text_has_nothing_to_find() -> None:
    index = make_index([b"", b""])
    assert index.containing(b"a").tolist() == []
    assert index.ending_with(b"a").tolist() == []
