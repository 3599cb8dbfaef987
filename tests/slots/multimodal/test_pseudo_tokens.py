"""Pseudo-tokens: where they may be cut, and how many positions they have."""

from slots.requests.media import (
    MediaChunk,
    RequestMedia,
    count_positions,
    cut_before,
    pseudo_tokens,
    text_tokens,
    widen,
)

CAUSAL = pseudo_tokens(b"causal", 4, 4, is_whole=False)
WHOLE = pseudo_tokens(b"whole", 6, 2, is_whole=True)


def test_they_are_negative_64_bit_numbers_of_the_content() -> None:
    assert all(-(2**63) <= token < 0 for token in (*CAUSAL, *WHOLE))
    assert pseudo_tokens(b"causal", 4, 4, is_whole=False) == CAUSAL
    assert not set(pseudo_tokens(b"other", 4, 4, is_whole=False)) & set(CAUSAL)


def test_a_whole_chunk_is_cut_only_at_its_ends() -> None:
    tokens = [1, 2, *WHOLE, 3]
    assert [cut_before(tokens, n) for n in range(10)] == [0, 1, 2, 2, 2, 2, 2, 2, 8, 9]


def test_two_whole_chunks_may_be_cut_between_them() -> None:
    tokens = [*WHOLE, *WHOLE]
    assert (cut_before(tokens, 11), cut_before(tokens, 6), cut_before(tokens, 5)) == (6, 6, 0)


def test_another_chunk_may_be_cut_anywhere() -> None:
    tokens = [1, *CAUSAL, 2]
    assert [cut_before(tokens, n) for n in range(7)] == list(range(7))


def test_a_chunk_has_fewer_positions_than_cells_if_it_says_so() -> None:
    tokens = [1, 2, *WHOLE, 3, *CAUSAL]
    assert [count_positions(tokens, n) for n in (0, 2, 8, 9, 13)] == [0, 2, 4, 5, 9]


def test_a_range_takes_in_the_media_at_its_ends() -> None:
    tokens = [1, *CAUSAL, 2, 3, *WHOLE, 4]
    assert widen(tokens, 3, 9) == (1, 13)
    assert widen(tokens, 5, 6) == (5, 6)


def test_a_batch_gets_a_text_or_one_chunk() -> None:
    chunks = (MediaChunk(CAUSAL, 4, is_causal=True), MediaChunk(WHOLE, 2, is_causal=False))
    media, tokens = RequestMedia(chunks), [1, 2, *CAUSAL, *WHOLE, 3]
    assert media.next_share(tokens, 0, 100) == 2
    assert media.next_share(tokens, 2, 100) == 4
    assert media.next_share(tokens, 3, 2) == 2
    assert media.next_share(tokens, 6, 2) == 6
    assert media.next_share(tokens, 12, 1) == 1


def test_what_looks_at_texts_gets_no_pseudo_tokens() -> None:
    assert text_tokens([1, *CAUSAL, 2]) == [1, 2]
    assert text_tokens(()) == ()
