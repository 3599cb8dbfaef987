from hypothesis import given
from hypothesis import strategies as st

from slots.completion.detokenizer import Detokenizer

words = st.text("ab\né😀", min_size=1, max_size=4)


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    """Cut bytes into pieces of the given sizes, over and over."""
    pieces, at, turn = [], 0, 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        pieces.append(data[at : at + size])
        at, turn = at + size, turn + 1
    return pieces


def show(text: str, stop: list[str], sizes: list[int]) -> tuple[str, str]:
    """What is shown of a text that arrives in pieces, and the stop string that ended it."""
    assembler = Detokenizer(stop)
    shown = ""
    for piece in cut(text.encode(), sizes):
        shown += assembler.feed(piece)
        if assembler.stopping_word:
            return shown, assembler.stopping_word
    return shown + assembler.flush(), assembler.stopping_word


def test_an_incomplete_character_waits_for_its_rest() -> None:
    assembler = Detokenizer([])
    assert assembler.feed("é".encode()[:1]) == ""
    assert assembler.is_mid_character
    assert assembler.feed("é".encode()[1:]) == "é"
    assert not assembler.is_mid_character


def test_a_byte_that_can_never_become_valid_turns_into_the_replacement_character() -> None:
    assembler = Detokenizer([])
    assert assembler.feed(b"a\xffb") == "a\ufffdb"


def test_a_character_that_is_never_completed_turns_into_the_replacement_character_at_the_end() -> None:
    assembler = Detokenizer([])
    assert assembler.feed("😀".encode()[:3]) == ""
    assert assembler.flush() == "\ufffd"


def test_a_stop_string_is_found_across_pieces_and_never_partly_shown() -> None:
    assembler = Detokenizer(["STOP"])
    assert assembler.feed(b"go ST") == "go "
    assert assembler.feed(b"OP and more") == ""
    assert assembler.stopping_word == "STOP"


def test_what_only_looked_like_a_stop_string_is_shown_after_all() -> None:
    assembler = Detokenizer(["STOP"])
    assert assembler.feed(b"ST") == ""
    assert assembler.feed(b"AY") == "STAY"


def test_what_is_held_back_is_shown_at_the_end() -> None:
    assembler = Detokenizer(["STOP"])
    assert assembler.feed(b"the ST") == "the "
    assert assembler.flush() == "ST"


def test_nothing_is_shown_after_a_stop_string_not_even_half_a_character() -> None:
    assembler = Detokenizer(["STOP"])
    assert assembler.feed(b"STOP" + "é".encode()[:1]) == ""
    assert assembler.flush() == ""


def test_the_match_that_is_complete_first_wins() -> None:
    assert show("one two", ["two", "one"], [100]) == ("", "one")
    assert show("abcd", ["abcd", "bc"], [100]) == ("a", "bc")


def test_of_matches_that_end_together_the_longest_wins() -> None:
    assert show("xab", ["b", "ab"], [100]) == ("x", "ab")


def test_line_ends_are_noticed() -> None:
    assembler = Detokenizer([])
    assembler.feed(b"one line")
    assert not assembler.has_new_line
    assembler.feed(b"\n")
    assert assembler.has_new_line


@given(st.text("ab\né😀", max_size=30), st.lists(words, max_size=4), st.lists(st.integers(1, 5), min_size=1))
def test_what_is_shown_does_not_depend_on_how_the_text_is_cut(text: str, stop: list[str], sizes: list[int]) -> None:
    assert show(text, stop, sizes) == show(text, stop, [1])


@given(st.text("ab\né😀", max_size=30), st.lists(words, max_size=4), st.lists(st.integers(1, 5), min_size=1))
def test_no_stop_string_is_ever_shown(text: str, stop: list[str], sizes: list[int]) -> None:
    shown, found = show(text, stop, sizes)
    assert not any(word in shown for word in stop)
    assert text.startswith(shown + found)
    assert found or shown == text
