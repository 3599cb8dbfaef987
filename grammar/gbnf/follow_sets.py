"""Which terminals can come first in a text, and which after which.

A terminal is a number, a set of them an integer with a bit for each.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from grammar.gbnf.automaton import LexemeFacts
from grammar.gbnf.lexemes import Choice, Concat, Lexeme, Nonterminal, ParserExpression, Repeat, Terminal, TokenLexeme
from grammar.limits import Deadline


def bits(numbers: int) -> Iterator[int]:
    """The numbers in a set, in order."""
    while numbers:
        lowest = numbers & -numbers
        yield lowest.bit_length() - 1
        numbers ^= lowest


@dataclass(frozen=True, slots=True)
class _FirstLast:
    """How that which a piece matches can begin and end."""

    is_nullable: bool
    first: int
    last: int


class FollowSets:
    """The order of the terminals of a grammar in pieces."""

    def __init__(
        self, pieces: Mapping[str, ParserExpression], root: str, regular: LexemeFacts, deadline: Deadline
    ) -> None:
        self._regular = regular
        self._deadline = deadline
        self._numbers: dict[Terminal, int] = {}
        self._spans = dict.fromkeys(pieces, _FirstLast(False, 0, 0))
        self._settle(pieces)
        self.terminals = list(self._numbers)
        self.first = self._spans[root].first
        """The terminals that a text can begin with."""
        self.follow = [0] * len(self.terminals)
        """The terminals that can come after each."""
        self.boundary = [0] * len(self.terminals)
        """The terminals before which each has to end: those that follow, without itself where a loop has it twice in a
        row and once would do as well."""
        for piece in pieces.values():
            self._connect(piece)

    def _settle(self, pieces: Mapping[str, ParserExpression]) -> None:
        """Find the spans of the rules, which depend on each other."""
        is_new = True
        while is_new:
            is_new = False
            for name, piece in reversed(list(pieces.items())):
                self._deadline.check()
                span = self._span(piece)
                is_new = is_new or span != self._spans[name]
                self._spans[name] = span

    def _span(self, piece: ParserExpression) -> _FirstLast:
        match piece:
            case Lexeme(_, Concat() | Choice() | Repeat() | Nonterminal() | Lexeme() | TokenLexeme() as inner):
                return self._span(inner)
            case Lexeme(expression):
                terminal = 1 << self._numbers.setdefault(piece, len(self._numbers))
                return _FirstLast(self._regular.is_nullable(expression), terminal, terminal)
            case TokenLexeme():
                terminal = 1 << self._numbers.setdefault(piece, len(self._numbers))
                return _FirstLast(False, terminal, terminal)
            case Nonterminal(name):
                return self._spans[name]
            case Concat(items):
                return _chained([self._span(item) for item in items])
            case Choice(options):
                return _either([self._span(option) for option in options])
            case Repeat(item, least, _):
                span = self._span(item)
                return _FirstLast(least == 0 or span.is_nullable, span.first, span.last)

    def _connect(self, piece: ParserExpression) -> None:
        match piece:
            case Lexeme(_, inner) if inner is not None:
                self._connect(inner)
            case Concat(items):
                self._connect_chain(items)
            case Choice(options):
                for option in options:
                    self._connect(option)
            case Repeat(item, least, most):
                self._connect(item)
                if most != 1:
                    self._connect_loop(item, least, most)

    def _connect_chain(self, items: list[ParserExpression]) -> None:
        last = 0
        for item in items:
            self._deadline.check()
            self._connect(item)
            span = self._span(item)
            for terminal in bits(last):
                self.follow[terminal] |= span.first
                self.boundary[terminal] |= span.first
            last = span.last | (last if span.is_nullable else 0)

    def _connect_loop(self, item: ParserExpression, least: int, most: int | None) -> None:
        span = self._span(item)
        is_any_number = least <= 1 and most is None
        merging = 0
        if is_any_number:
            for lexeme in _alone(item):
                if self._regular.is_repetition(lexeme.expression):
                    merging |= 1 << self._numbers[lexeme]
        for terminal in bits(span.last):
            self.follow[terminal] |= span.first
            self.boundary[terminal] |= span.first & ~(merging & 1 << terminal)


def _alone(piece: ParserExpression) -> Iterator[Lexeme]:
    """The lexemes that may be all that a piece matches."""
    match piece:
        case Lexeme(_, None):
            yield piece
        case Lexeme(_, inner) if inner is not None:
            yield from _alone(inner)
        case Choice(options):
            for option in options:
                yield from _alone(option)


def _chained(spans: list[_FirstLast]) -> _FirstLast:
    whole = _FirstLast(True, 0, 0)
    for span in spans:
        whole = _FirstLast(
            whole.is_nullable and span.is_nullable,
            whole.first | (span.first if whole.is_nullable else 0),
            span.last | (whole.last if span.is_nullable else 0),
        )
    return whole


def _either(spans: list[_FirstLast]) -> _FirstLast:
    first = last = 0
    for span in spans:
        first |= span.first
        last |= span.last
    return _FirstLast(any(span.is_nullable for span in spans), first, last)
