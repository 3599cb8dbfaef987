from concurrent.futures import ThreadPoolExecutor

import pytest

from slots.llama import Model
from slots.sampling.sequence_breakers import SequenceBreakerFinder
from tests.slots.sampling.factories import breaker_sequences, make_breakers


@pytest.fixture(scope="module")
def finder(bundled_model: Model) -> SequenceBreakerFinder:
    return SequenceBreakerFinder(bundled_model.vocab)


@pytest.fixture(scope="module")
def pieces(bundled_model: Model) -> list[bytes]:
    vocab = bundled_model.vocab
    return [vocab.piece(token) for token in range(vocab.n_tokens)]


def test_a_line_end_is_every_token_with_one_in_it(finder: SequenceBreakerFinder, pieces: list[bytes]) -> None:
    breakers = finder.find(["\n"])
    with_line_end = {token for token, piece in enumerate(pieces) if b"\n" in piece}
    assert len(with_line_end) > 10
    assert breaker_sequences(breakers) == {token: {()} for token in with_line_end}
    assert all(breakers.is_breaker(token) for token in with_line_end)


def test_a_string_is_also_found_across_two_tokens(
    finder: SequenceBreakerFinder, pieces: list[bytes], bundled_model: Model
) -> None:
    breakers = finder.find([".\n"])
    rest = tuple(bundled_model.vocab.tokenize_bytes(b"\n"))
    for token, piece in enumerate(pieces):
        expected = {()} if b".\n" in piece else {rest} if piece.endswith(b".") else None
        assert breaker_sequences(breakers).get(token) == expected
    assert {()} in breaker_sequences(breakers).values()
    assert {rest} in breaker_sequences(breakers).values()


def test_all_beginnings_of_a_string_are_found_with_what_follows(
    finder: SequenceBreakerFinder, pieces: list[bytes], bundled_model: Model
) -> None:
    breakers = finder.find(["the end"])
    for token, suffixes in breaker_sequences(breakers).items():
        assert suffixes
        for tail in suffixes:
            assert b"the end" in pieces[token] + b"".join(pieces[follower] for follower in tail)
    for beginning, rest in [(b"t", b"he end"), (b"th", b"e end"), (b" the", b" end")]:
        assert breaker_sequences(breakers)[pieces.index(beginning)] == {tuple(bundled_model.vocab.tokenize_bytes(rest))}


def test_several_strings_are_found_together(finder: SequenceBreakerFinder) -> None:
    both, line_end, colon = (breaker_sequences(finder.find(list(strings))) for strings in ("\n:", "\n", ":"))
    assert both == {token: line_end.get(token, set()) | colon.get(token, set()) for token in {*line_end, *colon}}


def test_no_string_is_no_breaker(finder: SequenceBreakerFinder) -> None:
    assert finder.find([]).by_string == ()
    assert finder.find([]).max_suffix_length == 0
    assert not finder.find([]).is_breaker(3)


def test_of_a_long_string_the_first_40_bytes_and_20_tokens_count(finder: SequenceBreakerFinder) -> None:
    assert breaker_sequences(finder.find(["\x01" * 100])) == breaker_sequences(finder.find(["\x01" * 40]))
    assert finder.find(["\x01" * 100]).max_suffix_length == 20


def test_the_longest_tail_has_the_most_tokens() -> None:
    assert make_breakers({1: {(), (2, 3)}, 2: {(1,)}}).max_suffix_length == 2


def test_of_the_sequences_that_begin_at_a_place_the_longest_complete_one_counts() -> None:
    breakers = make_breakers({1: {(), (2, 3)}, 2: {(1,)}})
    assert breakers.suffix_length_at([1, 2, 3], 0) == 2
    assert breakers.suffix_length_at([1, 2], 0) == 0
    assert breakers.suffix_length_at([2, 2], 0) is None
    assert breakers.suffix_length_at([2, 1], 0) == 1
    assert breakers.suffix_length_at([9], 0) is None


def test_finding_more_strings_than_are_remembered_still_finds_them(
    finder: SequenceBreakerFinder, pieces: list[bytes]
) -> None:
    expected = breaker_sequences(finder.find(["\n"]))
    for number in range(300):
        finder.find([f"{number:03}"])
    assert breaker_sequences(finder.find(["\n"])) == expected


def test_threads_may_look_for_breakers_at_once(bundled_model: Model) -> None:
    fresh = SequenceBreakerFinder(bundled_model.vocab)
    strings = ["\n", ":", "ab", "the"] * 6
    with ThreadPoolExecutor(4) as pool:
        breakers = list(pool.map(lambda string: breaker_sequences(fresh.find([string])), strings))
    assert breakers[:4] * 6 == breakers
    assert all(breakers)
