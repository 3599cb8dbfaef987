"""Regular expressions, as the Rust crate regex-syntax reads them."""

import re

from grammar.errors import GrammarError
from grammar.lark import EMPTY, lark_error

_LOOKAROUND = re.compile(r"lookarounds not supported yet; (\w+)")
_NUL = re.compile(r"\\.|\0", re.DOTALL)
"""NUL, or anything that is escaped."""
_ANCHORS = {"Start": "^", "End": "$", "StartLF": "^", "EndLF": "$"}


def regex_to_rules(expression: str) -> str:
    """Returns rules in Lark's syntax. Raises GrammarError if the expression ends within an escape, or escapes NUL."""
    from llguidance import regex_to_lark  # noqa: PLC0415 - only regular expressions need the package

    n_backslashes = len(expression) - len(expression.rstrip("\\"))
    if n_backslashes % 2:
        raise GrammarError("the regular expression ends with a backslash that escapes nothing")
    if not expression:
        return f"start: {EMPTY}"
    expression = _NUL.sub(lambda found: r"\x00" if found[0] == "\0" else found[0], expression)
    if "\0" in expression:
        raise GrammarError("the regular expression escapes NUL: expected \\x00")
    return f"start: /{regex_to_lark(expression)}/"


def regex_error(message: str) -> GrammarError:
    """Rewords an error message of llguidance for the person who wrote the expression."""
    return GrammarError(f"the regular expression cannot be used: {expression_error(message)}")


def expression_error(message: str) -> str:
    """The part of an error message of llguidance that is about a regular expression."""
    lookaround = _LOOKAROUND.search(message)
    if lookaround is None:
        return lark_error(message)
    if lookaround[1] in _ANCHORS:
        anchor = _ANCHORS[lookaround[1]]
        return f"{anchor!r} is supported only at the ends, where it changes nothing: all of the text has to match"
    return "word boundaries are not supported"
