"""Parsers of what the grammars in tests/grammar/cases describe, which know nothing of those."""

import json
import unicodedata
from collections.abc import Callable

import chess

from tests.slots.grammar.recognizers import (
    Recognizer,
    character,
    either,
    later,
    many,
    maybe,
    recognizes,
    row,
    separated,
    some,
    word,
)

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_DIGITS = "0123456789"
_BLANKS = " \t\n"
_LINE_ENDS = "\n\r\v\f\x85\u2028\u2029"


def is_json_object(text: str) -> bool:
    """A JSON object."""
    return isinstance(json.loads(text), dict)


def is_json_array(text: str) -> bool:
    """A JSON array whose values begin on lines of their own."""
    return text.startswith("[\n") and text.endswith("]") and isinstance(json.loads(text), list)


def is_chess_game(text: str) -> bool:
    """Two or more numbered pairs of moves in the standard notation; whether they are legal is another question."""
    lines = text.split("\n")
    is_numbered = text.startswith("1. ") and not any(line.startswith("0") for line in lines)
    return lines.pop() == "" and len(lines) >= 2 and is_numbered and all(map(_is_pair, lines))


def is_arithmetic(text: str) -> bool:
    """Lines that each set a sum equal to one operand; a line may break between any two of its parts."""
    return recognizes(some(row(_sum, _spaced("="), _operand, word("\n"))), text)


def is_small_c(text: str) -> bool:
    """Functions in a small part of C."""
    return recognizes(many(_FUNCTION), text)


def is_english(text: str) -> bool:
    """Printable ASCII with single blanks between the words."""
    words = text.replace("\n", " ").replace("\t", " ").split(" ")
    return all(words) and all(each.isascii() and each.isprintable() for each in words)


def is_japanese(text: str) -> bool:
    """Kana, CJK punctuation and ideographs, with single blanks between the runs."""
    runs = text.replace("\n", " ").replace("\t", " ").split(" ")
    return all(runs) and all(_is_japanese(each) for run in runs for each in run)


def is_list(text: str) -> bool:
    """Lines that begin with a dash."""
    lines = text.split("\n")
    return (
        lines.pop() == ""
        and lines != []
        and all(line.startswith("- ") and _is_line(line.removeprefix("- ")) for line in lines)
    )


PARSERS: dict[str, Callable[[str], bool]] = {
    "arithmetic": is_arithmetic,
    "c": is_small_c,
    "chess": is_chess_game,
    "english": is_english,
    "japanese": is_japanese,
    "json": is_json_object,
    "json_arr": is_json_array,
    "list": is_list,
}
"""By the name of the grammar."""


def _is_pair(line: str) -> bool:
    number, *moves = line.split(" ")
    return number.endswith(".") and number[:-1].isdecimal() and len(moves) == 2 and all(map(_is_move, moves))


def _is_move(text: str) -> bool:
    try:
        chess.Board().parse_san(text)
    except chess.InvalidMoveError:
        return False
    except ValueError:  # well written, but illegal here, or one of several
        return True
    return True


def _is_line(text: str) -> bool:
    return len(text) > 0 and not any(each in _LINE_ENDS for each in text)


def _is_japanese(each: str) -> bool:
    name = unicodedata.name(each, "")
    is_named = name.startswith(("HIRAGANA", "KATAKANA", "CJK UNIFIED", "COMBINING KATAKANA"))
    return is_named or "\u3001" <= each <= "\u303e" or (not name and "\u3041" <= each <= "\u9fff")


def _one_of(characters: str) -> Recognizer:
    return character(lambda each: each in characters)


_space = many(_one_of(_BLANKS))
_number = some(_one_of(_DIGITS))


def _spaced(*words: str) -> Recognizer:
    return row(word(*words), _space)


_variable = row(_one_of(_LETTERS), many(_one_of(_LETTERS + _DIGITS + "_")))
_operand: Recognizer = row(either(_variable, _number, row(_spaced("("), later(lambda: _sum), word(")"))), _space)
_sum: Recognizer = separated(_operand, word("+", "-", "*", "/"))

_GAP = some(_one_of(_BLANKS))
_NAME = row(_one_of(_LETTERS + _LETTERS.upper() + "_"), many(_one_of(_LETTERS + _LETTERS.upper() + _DIGITS + "_")))
_TYPED = row(word("int", "float", "char"), _GAP, _NAME)
_ARGUMENTS = separated(later(lambda: _SUM), row(word(","), _GAP))
_FACTOR: Recognizer = either(
    _number,
    row(word("-"), later(lambda: _FACTOR)),
    row(_NAME, maybe(row(word("("), maybe(_ARGUMENTS), word(")")))),
    row(word("("), _GAP, later(lambda: _SUM), _GAP, word(")")),
)
_SUM: Recognizer = separated(separated(_FACTOR, word("*", "/")), word("+", "-"))
_SET_TO = row(_GAP, word("="), _GAP, _SUM)
_ASSIGNMENT = row(either(_TYPED, _NAME), _SET_TO)
_COMPARISON = row(_SUM, word("<", ">", "<=", ">=", "==", "!="), _SUM)
_BLOCK = row(word("{"), many(later(lambda: _STATEMENT)), word("}"))
_COMMENT = either(
    row(word("//"), many(character(lambda each: each != "\n")), word("\n")),
    row(
        word("/*"),
        many(either(character(lambda each: each != "*"), row(word("*"), character(lambda e: e != "/")))),
        word("*/"),
    ),
)
_STATEMENT: Recognizer = either(
    row(_ASSIGNMENT, word(";")),
    row(_NAME, _GAP, word("("), maybe(_ARGUMENTS), word(");")),
    row(word("return"), _GAP, _SUM, word(";")),
    row(word("while("), _COMPARISON, word(")"), _BLOCK),
    row(word("for("), _ASSIGNMENT, word(";"), _GAP, _COMPARISON, word(";"), _GAP, _NAME, _SET_TO, word(")"), _BLOCK),
    row(word("if("), _COMPARISON, word(")"), _BLOCK, maybe(row(word("else"), _BLOCK))),
    _COMMENT,
)
_FUNCTION = row(_TYPED, word("("), maybe(_TYPED), word(")"), _BLOCK)
