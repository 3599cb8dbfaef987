"""Recursive descent parser for GBNF."""

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
    """Returns the rules of a grammar. `find_token` looks up tokens that are named by their text, such as `<think>`.

    Raises GrammarError, with line and column, for text that is not GBNF, for a rule that is defined twice, and
    for what exceeds a limit.
    """
    return _Parser(text, find_token).grammar()


class _Parser:
    def __init__(self, text: str, find_token: TokenLookup) -> None:
        self._scanner = _Scanner(text)
        self._find_token = find_token
        self._depth = 0

    def grammar(self) -> Grammar:
        if len(self._scanner.text) > MAX_GBNF_TEXT:
            raise GrammarError(f"a GBNF grammar has at most {MAX_GBNF_TEXT} characters, got {len(self._scanner.text)}")
        rules: dict[str, Rule] = {}
        self._scanner.skip_blanks(newlines=True)
        while self._scanner.peek:
            rule = self._rule()
            if rule.name in rules:
                raise self._scanner.error(f"the rule {rule.name!r} is defined a second time", rule.offset)
            if len(rules) == MAX_RULES:
                raise self._scanner.error(f"a grammar has at most {MAX_RULES} rules", rule.offset)
            rules[rule.name] = rule
            self._scanner.skip_blanks(newlines=True)
        return Grammar(rules, self._scanner.text)

    def _rule(self) -> Rule:
        scanner = self._scanner
        start = scanner.position
        name = scanner.match(_NAME) or scanner.fail("the name of a rule, of letters, digits and dashes")
        scanner.skip_blanks(newlines=False)
        scanner.expect("::=")
        scanner.skip_blanks(newlines=True)
        body = self._alternatives()
        if scanner.peek not in ("", "\r", "\n"):
            scanner.fail("an item of the rule, or the end of the line")
        if height(body) > _MAX_HEIGHT:
            raise scanner.error("the rule has too many repetitions of repetitions", start)
        return Rule(name, body, start)

    def _alternatives(self) -> Expression:
        options = [self._sequence()]
        while self._scanner.accept("|"):
            self._scanner.skip_blanks(newlines=True)
            options.append(self._sequence())
        return options[0] if len(options) == 1 else Alternatives(tuple(options))

    def _sequence(self) -> Expression:
        items: list[Expression] = []
        while (item := self._item()) is not None:
            self._skip_blanks()
            items.append(self._repetitions(item))
        return items[0] if len(items) == 1 else Sequence(tuple(items))

    def _skip_blanks(self) -> None:
        # Within a group a newline ends nothing.
        self._scanner.skip_blanks(newlines=self._depth > 0)

    def _item(self) -> Expression | None:
        """The next item of a sequence; None if the sequence ends here."""
        scanner, start = self._scanner, self._scanner.position
        if scanner.accept('"'):
            return self._literal()
        if scanner.accept("["):
            return self._class()
        if scanner.accept("("):
            return self._group()
        if scanner.accept("."):
            return Characters(ANY_CHARACTER)
        if scanner.peek and scanner.peek in "<!":
            return self._token()
        name = scanner.match(_NAME)
        return Reference(name, start) if name else None

    def _group(self) -> Expression:
        if self._depth == MAX_DEPTH:
            raise self._scanner.error(f"groups are nested more than {MAX_DEPTH} deep", self._scanner.position - 1)
        self._depth += 1
        self._skip_blanks()
        body = self._alternatives()
        if not self._scanner.accept(")"):
            self._scanner.fail('an item of the group, or ")"')
        self._depth -= 1
        return body

    def _literal(self) -> Expression:
        start, characters = self._scanner.position, []
        while not self._scanner.accept('"'):
            if not self._scanner.peek:
                self._scanner.fail("a character, or '\"'")
            characters.append(self._character())
        text = "".join(characters)
        if _SURROGATE.search(text):
            raise self._scanner.error("a surrogate is not a character, no text has it", start)
        return Literal(text)

    def _class(self) -> Expression:
        scanner = self._scanner
        is_negated = scanner.accept("^")
        if scanner.peek == "]":
            scanner.fail("a character of the class")
        ranges = []
        while not scanner.accept("]"):
            if not scanner.peek:
                scanner.fail('a character, or "]"')
            ranges.append(self._range())
        characters = union(ranges)
        return Characters(complement(characters) if is_negated else characters)

    def _range(self) -> tuple[int, int]:
        scanner, start = self._scanner, self._scanner.position
        first = last = ord(self._character())
        if scanner.peek == "-" and scanner.text[scanner.position + 1 : scanner.position + 2] not in ("]", ""):
            scanner.accept("-")
            last = ord(self._character())
        if last < first:
            raise scanner.error(f"the range {scanner.text[start : scanner.position]!r} ends before it begins", start)
        return first, last

    def _character(self) -> str:
        scanner, start = self._scanner, self._scanner.position
        if not scanner.accept("\\"):
            scanner.position += 1
            return scanner.text[start]
        kind = scanner.peek
        if kind in _HEX_DIGITS:
            scanner.position += 1
            return self._code_point(start, _HEX_DIGITS[kind])
        if kind not in _ESCAPES:
            scanner.fail('one of n, t, r, \\, ", [, ], -, x, u and U after "\\"')
        scanner.position += 1
        return _ESCAPES[kind]

    def _code_point(self, start: int, n_digits: int) -> str:
        """The character of an escape that began at `start` and has its digits here."""
        scanner = self._scanner
        digits = scanner.match(_HEX)[:n_digits]
        scanner.position = start + 2 + len(digits)
        if len(digits) < n_digits:
            scanner.fail(f"{n_digits} hexadecimal digits")
        if int(digits, 16) > LAST_CHARACTER:
            raise scanner.error(f"there is no character {scanner.text[start : scanner.position]}", start)
        return chr(int(digits, 16))

    def _token(self) -> Expression:
        scanner, start = self._scanner, self._scanner.position
        is_negated = scanner.accept("!")
        scanner.expect("<")
        if scanner.accept("["):
            token_id = self._number("the id of a token")
            scanner.expect("]")
            scanner.expect(">")
            return Token(token_id, is_negated, start)
        text = f"<{scanner.match(_TOKEN_TEXT)}>"
        scanner.expect(">")
        token = self._find_token(text)
        if token is None:
            raise scanner.error(
                f"no token of the model reads {text!r}; a token can also be named by its id, <[id]>", start
            )
        return Token(token, is_negated, start)

    def _repetitions(self, item: Expression) -> Expression:
        while self._scanner.peek:
            if self._scanner.peek in _REPETITIONS:
                min_count, max_count = _REPETITIONS[self._scanner.peek]
                self._scanner.position += 1
            elif self._scanner.accept("{"):
                min_count, max_count = self._bounds()
            else:
                break
            self._skip_blanks()
            item = Repetition(item, min_count, max_count)
        return item

    def _bounds(self) -> tuple[int, int | None]:
        scanner, start = self._scanner, self._scanner.position
        self._skip_blanks()
        min_count = self._count()
        max_count: int | None = min_count
        self._skip_blanks()
        if scanner.accept(","):
            self._skip_blanks()
            max_count = self._count() if scanner.peek.isdecimal() else None
            self._skip_blanks()
        if not scanner.accept("}"):
            scanner.fail('"," or "}"' if max_count == min_count else '"}"')
        if max_count is not None and max_count < min_count:
            raise scanner.error(f"the most, {max_count}, is less than the least, {min_count}", start)
        return min_count, max_count

    def _count(self) -> int:
        scanner, start = self._scanner, self._scanner.position
        count = self._number("a number of repetitions")
        if count > MAX_REPETITION:
            raise scanner.error(f"an item is repeated at most {MAX_REPETITION} times, got {count}", start)
        return count

    def _number(self, what: str) -> int:
        scanner, start = self._scanner, self._scanner.position
        digits = scanner.match(_DIGITS) or scanner.fail(what)
        if len(digits) > _MAX_DIGITS:
            raise scanner.error(f"a number has at most {_MAX_DIGITS} digits", start)
        return int(digits)


class _Scanner:
    """A text and a position in it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    @property
    def peek(self) -> str:
        """The next character, without consuming it; an empty string at the end."""
        return self.text[self.position : self.position + 1]

    def accept(self, token: str) -> bool:
        """Consumes `token` if it comes next; returns whether it does."""
        if not self.text.startswith(token, self.position):
            return False
        self.position += len(token)
        return True

    def match(self, pattern: re.Pattern[str]) -> str:
        """Consumes and returns what matches a pattern here; an empty string if nothing does."""
        matched = pattern.match(self.text, self.position)
        if matched is None:
            return ""
        self.position = matched.end()
        return matched[0]

    def expect(self, token: str) -> None:
        """Consumes `token`. Raises GrammarError if something else comes next."""
        if not self.accept(token):
            self.fail(f'"{token}"')

    def skip_blanks(self, *, newlines: bool) -> None:
        self.match(_BLANK_LINES if newlines else _BLANK)

    def fail(self, expected: str) -> NoReturn:
        """Raises GrammarError: something else was expected here."""
        raise self.error(f"expected {expected}, got {self._describe_next()}", self.position)

    def error(self, message: str, offset: int) -> GrammarError:
        return GrammarError(f"{location(self.text, offset)}: {message}")

    def _describe_next(self) -> str:
        if not self.peek:
            return "the end of the grammar"
        return "the end of the line" if self.peek in "\r\n" else repr(self.peek)
