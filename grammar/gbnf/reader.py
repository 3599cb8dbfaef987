"""Reads a text from its beginning to its end."""

import re
from typing import NoReturn

from grammar.errors import GrammarError
from grammar.gbnf.syntax_tree import place

_BLANK = re.compile(r"(?:[ \t]|#[^\r\n]*)*")
_BLANK_LINES = re.compile(r"(?:[ \t\r\n]|#[^\r\n]*)*")


class Reader:
    """Where in a text one is."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    @property
    def peek(self) -> str:
        """The next character, which stays; an empty string at the end."""
        return self.text[self.at : self.at + 1]

    def skips(self, token: str) -> bool:
        """Whether this comes next; if so, it is passed over."""
        found = self.text.startswith(token, self.at)
        if found:
            self.at += len(token)
        return found

    def take(self, pattern: re.Pattern[str]) -> str:
        """What matches a pattern here; an empty string if nothing does."""
        found = pattern.match(self.text, self.at)
        if found is None:
            return ""
        self.at = found.end()
        return found[0]

    def expect(self, token: str) -> None:
        """Pass over this. Raises GrammarError if something else comes next."""
        if not self.skips(token):
            self.fail(f'"{token}"')

    def skip_blanks(self, *, newlines: bool) -> None:
        """Pass over spaces, tabs and comments, and over newlines if asked to."""
        self.take(_BLANK_LINES if newlines else _BLANK)

    def fail(self, expected: str) -> NoReturn:
        """Raise GrammarError: something else was expected here."""
        raise self.error(f"expected {expected}, got {self._found()}", self.at)

    def error(self, message: str, at: int) -> GrammarError:
        """An error with its place in the text."""
        return GrammarError(f"{place(self.text, at)}: {message}")

    def _found(self) -> str:
        if not self.peek:
            return "the end of the grammar"
        return "the end of the line" if self.peek in "\r\n" else repr(self.peek)
