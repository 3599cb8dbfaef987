import codecs

from hypothesis import given
from hypothesis import strategies as st

from slots.completion.text_stops import TextStops, is_mid_character

words = st.text("ab\né😀", min_size=1, max_size=4)


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    """Cut bytes into pieces of the given sizes, over and over."""
    pieces, at, turn = [], 0, 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        pieces.append(data[at : at + size])
        at, turn = at + size, turn + 1
    return pieces


class Detokenizer:
    """Shows the text of pieces as the engine and a stream do together."""

    def __init__(self, stop: list[str], n_indent: int = 0) -> None:
        self._stops = TextStops(stop, n_indent)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    @property
    def stopping_word(self) -> str:
        return self._stops.stopping_word

    def feed(self, piece: bytes) -> str:
        return self._decoder.decode(self._stops.feed(piece))

    def flush(self) -> str:
        return self._decoder.decode(self._stops.flush(), final=True)


def show(text: str, stop: list[str], sizes: list[int]) -> tuple[str, str]:
    """What is shown of a text that arrives in pieces, and the stop string that ended it."""
    detokenizer = Detokenizer(stop)
    shown = ""
    for piece in cut(text.encode(), sizes):
        shown += detokenizer.feed(piece)
        if detokenizer.stopping_word:
            return shown, detokenizer.stopping_word
    return shown + detokenizer.flush(), detokenizer.stopping_word


def test_an_incomplete_character_waits_for_its_rest() -> None:
    detokenizer = Detokenizer([])
    assert detokenizer.feed("é".encode()[:1]) == ""
    assert is_mid_character("é".encode()[:1])
    assert detokenizer.feed("é".encode()[1:]) == "é"
    assert not is_mid_character("é".encode())


@given(st.binary(max_size=12))
def test_the_last_three_bytes_decide_whether_a_character_is_incomplete(data: bytes) -> None:
    assert is_mid_character(data[-3:]) == is_mid_character(data)


def test_a_byte_that_can_never_become_valid_turns_into_the_replacement_character() -> None:
    detokenizer = Detokenizer([])
    assert detokenizer.feed(b"a\xffb") == "a\ufffdb"


def test_a_character_that_is_never_completed_turns_into_the_replacement_character_at_the_end() -> None:
    detokenizer = Detokenizer([])
    assert detokenizer.feed("😀".encode()[:3]) == ""
    assert detokenizer.flush() == "\ufffd"


def test_a_stop_string_is_found_across_pieces_and_never_partly_shown() -> None:
    detokenizer = Detokenizer(["STOP"])
    assert detokenizer.feed(b"go ST") == "go "
    assert detokenizer.feed(b"OP and more") == ""
    assert detokenizer.stopping_word == "STOP"


def test_what_only_looked_like_a_stop_string_is_shown_after_all() -> None:
    detokenizer = Detokenizer(["STOP"])
    assert detokenizer.feed(b"ST") == ""
    assert detokenizer.feed(b"AY") == "STAY"


def test_what_is_held_back_is_shown_at_the_end() -> None:
    detokenizer = Detokenizer(["STOP"])
    assert detokenizer.feed(b"the ST") == "the "
    assert detokenizer.flush() == "ST"


def test_nothing_is_shown_after_a_stop_string_not_even_half_a_character() -> None:
    detokenizer = Detokenizer(["STOP"])
    assert detokenizer.feed(b"STOP" + "é".encode()[:1]) == ""
    assert detokenizer.flush() == ""


def test_the_match_that_is_complete_first_wins() -> None:
    assert show("one two", ["two", "one"], [100]) == ("", "one")
    assert show("abcd", ["abcd", "bc"], [100]) == ("a", "bc")


def test_of_matches_that_end_together_the_longest_wins() -> None:
    assert show("xab", ["b", "ab"], [100]) == ("x", "ab")


def test_a_line_that_is_indented_too_little_ends_the_text() -> None:
    stops = TextStops([], n_indent=2)
    assert stops.feed(b"one\n  two\n ") == b"one\n  two\n "
    assert not stops.hit_indent_stop
    assert stops.feed(b"three") == b""
    assert stops.hit_indent_stop


@given(st.text("ab\né😀", max_size=30), st.lists(words, max_size=4), st.lists(st.integers(1, 5), min_size=1))
def test_what_is_shown_does_not_depend_on_how_the_text_is_cut(text: str, stop: list[str], sizes: list[int]) -> None:
    assert show(text, stop, sizes) == show(text, stop, [1])


@given(st.text("ab\né😀", max_size=30), st.lists(words, max_size=4), st.lists(st.integers(1, 5), min_size=1))
def test_no_stop_string_is_ever_shown(text: str, stop: list[str], sizes: list[int]) -> None:
    shown, found = show(text, stop, sizes)
    assert not any(word in shown for word in stop)
    assert text.startswith(shown + found)
    assert found or shown == text
