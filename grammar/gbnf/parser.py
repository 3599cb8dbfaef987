"""From the text of a GBNF grammar to its rules."""

import re
from collections.abc import Callable
from typing import NoReturn

from grammar.errors import GrammarError
from grammar.gbnf.syntax_tree import (
    ANY_CHARACTER,
    LAST_CHARACTER,
    Alternatives,
    Characters,
    Expression,
    Grammar,
    Literal,
    Reference,
    Repetition,
    Rule,
    Sequence,
    Token,
    complement,
    height,
    location,
    union,
)
from grammar.limits import MAX_DEPTH, MAX_GBNF_TEXT, MAX_REPETITION, MAX_RULES

_BLANK = re.compile(r"(?:[ \t]|#[^\r\n]*)*")
_BLANK_LINES = re.compile(r"(?:[ \t\r\n]|#[^\r\n]*)*")


class Reader:
    """Where in a text one is."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    @property
    def peek(self) -> str:
        """The next character, which stays; an empty string at the end."""
        return self.text[self.position : self.position + 1]

    def accept(self, token: str) -> bool:
        """Whether this comes next; if so, it is passed over."""
        found = self.text.startswith(token, self.position)
        if found:
            self.position += len(token)
        return found

    def match(self, pattern: re.Pattern[str]) -> str:
        """What matches a pattern here; an empty string if nothing does."""
        found = pattern.match(self.text, self.position)
        if found is None:
            return ""
        self.position = found.end()
        return found[0]

    def expect(self, token: str) -> None:
        """Pass over this. Raises GrammarError if something else comes next."""
        if not self.accept(token):
            self.fail(f'"{token}"')

    def skip_blanks(self, *, newlines: bool) -> None:
        """Pass over spaces, tabs and comments, and over newlines if asked to."""
        self.match(_BLANK_LINES if newlines else _BLANK)

    def fail(self, expected: str) -> NoReturn:
        """Raise GrammarError: something else was expected here."""
        raise self.error(f"expected {expected}, got {self._describe_next()}", self.position)

    def error(self, message: str, at: int) -> GrammarError:
        """An error with its place in the text."""
        return GrammarError(f"{location(self.text, at)}: {message}")

    def _describe_next(self) -> str:
        if not self.peek:
            return "the end of the grammar"
        return "the end of the line" if self.peek in "\r\n" else repr(self.peek)


_NAME = re.compile(r"[a-zA-Z0-9-]+")
_DIGITS = re.compile(r"[0-9]+")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_TOKEN_TEXT = re.compile(r"[^>\r\n]+")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "[": "[", "]": "]", "-": "-"}
_HEX_DIGITS = {"x": 2, "u": 4, "U": 8}
_HEX = re.compile(r"[0-9a-fA-F]{1,8}")
_MAX_HEIGHT = 3 * MAX_DEPTH + 3
"""Of an expression: a group is a repetition of alternatives of sequences."""
_MAX_DIGITS = 9
_REPETITIONS = {"*": (0, None), "+": (1, None), "?": (0, 1)}

TokenLookup = Callable[[str], int | None]


def parse(text: str, find_token: TokenLookup) -> Grammar:
    """The rules of a grammar. `token_of` is asked for tokens that are named by their text, such as `<think>`.

    Raises GrammarError, with line and column, for what is not GBNF, for a rule that is defined twice, and for what
    exceeds a limit.
    """
    return _Parser(text, find_token).grammar()


class _Parser:
    def __init__(self, text: str, find_token: TokenLookup) -> None:
        self._reader = Reader(text)
        self._find_token = find_token
        self._depth = 0

    def grammar(self) -> Grammar:
        if len(self._reader.text) > MAX_GBNF_TEXT:
            raise GrammarError(f"a GBNF grammar has at most {MAX_GBNF_TEXT} characters, got {len(self._reader.text)}")
        rules: dict[str, Rule] = {}
        self._reader.skip_blanks(newlines=True)
        while self._reader.peek:
            rule = self._rule()
            if rule.name in rules:
                raise self._reader.error(f"the rule {rule.name!r} is defined a second time", rule.offset)
            if len(rules) == MAX_RULES:
                raise self._reader.error(f"a grammar has at most {MAX_RULES} rules", rule.offset)
            rules[rule.name] = rule
            self._reader.skip_blanks(newlines=True)
        return Grammar(rules, self._reader.text)

    def _rule(self) -> Rule:
        reader = self._reader
        at = reader.position
        name = reader.match(_NAME) or reader.fail("the name of a rule, of letters, digits and dashes")
        reader.skip_blanks(newlines=False)
        reader.expect("::=")
        reader.skip_blanks(newlines=True)
        body = self._alternatives()
        if reader.peek not in ("", "\r", "\n"):
            reader.fail("an item of the rule, or the end of the line")
        if height(body) > _MAX_HEIGHT:
            raise reader.error("the rule has too many repetitions of repetitions", at)
        return Rule(name, body, at)

    def _alternatives(self) -> Expression:
        options = [self._sequence()]
        while self._reader.accept("|"):
            self._reader.skip_blanks(newlines=True)
            options.append(self._sequence())
        return options[0] if len(options) == 1 else Alternatives(tuple(options))

    def _sequence(self) -> Expression:
        items: list[Expression] = []
        while (item := self._item()) is not None:
            self._skip_blanks()
            items.append(self._repeated(item))
        return items[0] if len(items) == 1 else Sequence(tuple(items))

    def _skip_blanks(self) -> None:
        # Within a group a newline ends nothing.
        self._reader.skip_blanks(newlines=self._depth > 0)

    def _item(self) -> Expression | None:
        """The next item of a sequence; None if the sequence ends here."""
        reader, at = self._reader, self._reader.position
        if reader.accept('"'):
            return self._literal()
        if reader.accept("["):
            return self._class()
        if reader.accept("("):
            return self._group()
        if reader.accept("."):
            return Characters(ANY_CHARACTER)
        if reader.peek and reader.peek in "<!":
            return self._token()
        name = reader.match(_NAME)
        return Reference(name, at) if name else None

    def _group(self) -> Expression:
        if self._depth == MAX_DEPTH:
            raise self._reader.error(f"groups are nested more than {MAX_DEPTH} deep", self._reader.position - 1)
        self._depth += 1
        self._skip_blanks()
        body = self._alternatives()
        if not self._reader.accept(")"):
            self._reader.fail('an item of the group, or ")"')
        self._depth -= 1
        return body

    def _literal(self) -> Expression:
        at, characters = self._reader.position, []
        while not self._reader.accept('"'):
            if not self._reader.peek:
                self._reader.fail("a character, or '\"'")
            characters.append(self._character())
        text = "".join(characters)
        if _SURROGATE.search(text):
            raise self._reader.error("a surrogate is not a character, no text has it", at)
        return Literal(text)

    def _class(self) -> Expression:
        reader = self._reader
        is_negated = reader.accept("^")
        if reader.peek == "]":
            reader.fail("a character of the class")
        ranges = []
        while not reader.accept("]"):
            if not reader.peek:
                reader.fail('a character, or "]"')
            ranges.append(self._range())
        characters = union(ranges)
        return Characters(complement(characters) if is_negated else characters)

    def _range(self) -> tuple[int, int]:
        reader, at = self._reader, self._reader.position
        first = last = ord(self._character())
        if reader.peek == "-" and reader.text[reader.position + 1 : reader.position + 2] not in ("]", ""):
            reader.accept("-")
            last = ord(self._character())
        if last < first:
            raise reader.error(f"the range {reader.text[at : reader.position]!r} ends before it begins", at)
        return first, last

    def _character(self) -> str:
        reader, at = self._reader, self._reader.position
        if not reader.accept("\\"):
            reader.position += 1
            return reader.text[at]
        kind = reader.peek
        if kind in _HEX_DIGITS:
            reader.position += 1
            return self._code_point(at, _HEX_DIGITS[kind])
        if kind not in _ESCAPES:
            reader.fail('one of n, t, r, \\, ", [, ], -, x, u and U after "\\"')
        reader.position += 1
        return _ESCAPES[kind]

    def _code_point(self, at: int, n_digits: int) -> str:
        """The character of an escape that begins at an offset, and has its digits here."""
        reader = self._reader
        digits = reader.match(_HEX)[:n_digits]
        reader.position = at + 2 + len(digits)
        if len(digits) < n_digits:
            reader.fail(f"{n_digits} hexadecimal digits")
        if int(digits, 16) > LAST_CHARACTER:
            raise reader.error(f"there is no character {reader.text[at : reader.position]}", at)
        return chr(int(digits, 16))

    def _token(self) -> Expression:
        reader, at = self._reader, self._reader.position
        is_negated = reader.accept("!")
        reader.expect("<")
        if reader.accept("["):
            token = self._number("the id of a token")
            reader.expect("]")
            reader.expect(">")
            return Token(token, is_negated, at)
        text = f"<{reader.match(_TOKEN_TEXT)}>"
        reader.expect(">")
        named = self._find_token(text)
        if named is None:
            raise reader.error(f"no token of the model reads {text!r}; a token can also be named by its id, <[id]>", at)
        return Token(named, is_negated, at)

    def _repeated(self, item: Expression) -> Expression:
        """An item with all the repetitions that follow it."""
        while self._reader.peek:
            if self._reader.peek in _REPETITIONS:
                least, most = _REPETITIONS[self._reader.peek]
                self._reader.position += 1
            elif self._reader.accept("{"):
                least, most = self._bounds()
            else:
                break
            self._skip_blanks()
            item = Repetition(item, least, most)
        return item

    def _bounds(self) -> tuple[int, int | None]:
        reader, at = self._reader, self._reader.position
        self._skip_blanks()
        least = self._count()
        most: int | None = least
        self._skip_blanks()
        if reader.accept(","):
            self._skip_blanks()
            most = self._count() if reader.peek.isdecimal() else None
            self._skip_blanks()
        if not reader.accept("}"):
            reader.fail('"," or "}"' if most == least else '"}"')
        if most is not None and most < least:
            raise reader.error(f"the most, {most}, is less than the least, {least}", at)
        return least, most

    def _count(self) -> int:
        reader, at = self._reader, self._reader.position
        count = self._number("a number of repetitions")
        if count > MAX_REPETITION:
            raise reader.error(f"an item is repeated at most {MAX_REPETITION} times, got {count}", at)
        return count

    def _number(self, what: str) -> int:
        reader, at = self._reader, self._reader.position
        digits = reader.match(_DIGITS) or reader.fail(what)
        if len(digits) > _MAX_DIGITS:
            raise reader.error(f"a number has at most {_MAX_DIGITS} digits", at)
        return int(digits)
