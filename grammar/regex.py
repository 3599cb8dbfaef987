"""Regular expressions."""

import re

from llguidance import regex_to_lark

from grammar.errors import GrammarError
from grammar.lark import EMPTY, lark_error

_LOOKAROUND = re.compile(r"lookarounds not supported yet; (\w+)")
_ANCHORS = {"Start": "^", "End": "$", "StartLF": "^", "EndLF": "$"}


def regex_to_rules(expression: str) -> str:
    """The expression in Lark's syntax. Raises GrammarError if it ends within an escape."""
    n_backslashes = len(expression) - len(expression.rstrip("\\"))
    if n_backslashes % 2:
        raise GrammarError("the regular expression ends with a backslash that escapes nothing")
    return f"start: /{regex_to_lark(expression)}/" if expression else f"start: {EMPTY}"


def regex_error(message: str) -> GrammarError:
    """What llguidance says about an expression, in words for whoever wrote it."""
    return GrammarError(f"the regular expression cannot be used: {expression_error(message)}")


def expression_error(message: str) -> str:
    """What is wrong with a regular expression, in an error of llguidance's."""
    found = _LOOKAROUND.search(message)
    if found is None:
        return lark_error(message)
    if found[1] in _ANCHORS:
        anchor = _ANCHORS[found[1]]
        return f"{anchor!r} is supported only at the ends, where it changes nothing: all of the text has to match"
    return "word boundaries are not supported"
