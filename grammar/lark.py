"""llguidance's own form of a grammar, and its errors."""

import re

_OPTIONS = '%llguidance {"no_forcing": true}\n'
"""Tokens are not forced by how a text would be tokenized: every token that matches may come."""
EMPTY = '""'
"""The empty text."""
_LOCATION = re.compile(r"^at \d+\(\d+\): ")
_EXCERPT = re.compile(r"\n +\d+ \| .*", re.DOTALL)
_REGEX_ERROR = re.compile(r"regex parse error:\n.*\nerror: (.*)", re.DOTALL)


def lark_grammar(rules: str) -> str:
    """A whole grammar from its rules, of which one is `start`."""
    return _OPTIONS + rules


def lark_text(text: str) -> str:
    """What matches a text, and nothing else."""
    return f"/{''.join(map(_escape, text))}/" if text else EMPTY


def lark_code(code_point: int) -> str:
    """A character within slashes."""
    return f"\\u{{{code_point:X}}}"


def _escape(character: str) -> str:
    return character if character.isascii() and character.isalnum() else lark_code(ord(character))


def lark_error(message: str) -> str:
    """An error of llguidance's without where it is in the Lark text, which nobody has seen."""
    message = _EXCERPT.sub("", _LOCATION.sub("", message)).strip()
    if found := _REGEX_ERROR.search(message):
        return found[1]
    return message.partition("\n")[0]
