"""Lark: parts of llguidance's input format, and its error messages."""

import re

_OPTIONS = '%llguidance {"no_forcing": true}\n'
"""Every token that matches is allowed, not only the one that the tokenizer would choose for a forced text."""
EMPTY = '""'
_LOCATION = re.compile(r"^at \d+\(\d+\): ")
_EXCERPT = re.compile(r"\n +\d+ \| .*", re.DOTALL)
_REGEX_ERROR = re.compile(r"regex parse error:\n.*\nerror: (.*)", re.DOTALL)


def lark_grammar(rules: str) -> str:
    """A complete grammar; one of the rules is `start`."""
    return _OPTIONS + rules


def lark_text(text: str) -> str:
    return f"/{''.join(map(_escape, text))}/" if text else EMPTY


def lark_code(code_point: int) -> str:
    """The escape of a character within slashes."""
    return f"\\u{{{code_point:X}}}"


def _escape(character: str) -> str:
    return character if character.isascii() and character.isalnum() else lark_code(ord(character))


def lark_error(message: str) -> str:
    """An error message of llguidance without its location in the Lark text, which the client never sees."""
    message = _EXCERPT.sub("", _LOCATION.sub("", message)).strip()
    if found := _REGEX_ERROR.search(message):
        return found[1]
    return message.partition("\n")[0]
