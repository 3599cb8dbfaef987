"""First and follow sets: the terminals that a text can begin with, and those that can follow each terminal.

A terminal is a number, a set of terminals an int with one bit for each.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from grammar.gbnf.automaton import LexemeFacts
from grammar.gbnf.lexemes import Choice, Concat, Lexeme, Nonterminal, ParserExpression, Repeat, Terminal, TokenLexeme
from grammar.limits import Deadline


def bits(terminals: int) -> Iterator[int]:
    while terminals:
        lowest_bit = terminals & -terminals
        yield lowest_bit.bit_length() - 1
        terminals ^= lowest_bit


@dataclass(frozen=True, slots=True)
class _FirstLast:
    """The terminals that a match of an expression can begin and end with."""

    is_nullable: bool
    first: int
    last: int


class FollowSets:
    """The first and follow sets of a grammar as it is split now."""

    def __init__(
        self, productions: Mapping[str, ParserExpression], root: str, facts: LexemeFacts, deadline: Deadline
    ) -> None:
        self._facts = facts
        self._deadline = deadline
        self._numbers: dict[Terminal, int] = {}
        self._rule_sets = dict.fromkeys(productions, _FirstLast(False, 0, 0))
        self._compute_rule_sets(productions)
        self.terminals = list(self._numbers)
        self.first = self._rule_sets[root].first
        self.follow = [0] * len(self.terminals)
        self.boundary = [0] * len(self.terminals)
        """The followers before which a terminal has to end: all but itself in a loop, if two matches of it in a row are
        also one match."""
        for production in productions.values():
            self._add_follow(production)

    def _compute_rule_sets(self, productions: Mapping[str, ParserExpression]) -> None:
        """Repeats until nothing changes: the sets of a rule depend on those of others."""
        has_changed = True
        while has_changed:
            has_changed = False
            for name, production in reversed(list(productions.items())):
                self._deadline.check()
                sets = self._first_last(production)
                has_changed = has_changed or sets != self._rule_sets[name]
                self._rule_sets[name] = sets

    def _first_last(self, expression: ParserExpression) -> _FirstLast:
        match expression:
            case Lexeme(_, Concat() | Choice() | Repeat() | Nonterminal() | Lexeme() | TokenLexeme() as inner):
                return self._first_last(inner)
            case Lexeme(regular_expression):
                terminal = 1 << self._numbers.setdefault(expression, len(self._numbers))
                return _FirstLast(self._facts.is_nullable(regular_expression), terminal, terminal)
            case TokenLexeme():
                terminal = 1 << self._numbers.setdefault(expression, len(self._numbers))
                return _FirstLast(False, terminal, terminal)
            case Nonterminal(name):
                return self._rule_sets[name]
            case Concat(items):
                return _concat([self._first_last(item) for item in items])
            case Choice(options):
                return _choice([self._first_last(option) for option in options])
            case Repeat(item, min_count, _):
                sets = self._first_last(item)
                return _FirstLast(min_count == 0 or sets.is_nullable, sets.first, sets.last)

    def _add_follow(self, expression: ParserExpression) -> None:
        match expression:
            case Lexeme(_, inner) if inner is not None:
                self._add_follow(inner)
            case Concat(items):
                self._add_follow_in_concat(items)
            case Choice(options):
                for option in options:
                    self._add_follow(option)
            case Repeat(item, min_count, max_count):
                self._add_follow(item)
                if max_count != 1:
                    self._add_follow_in_repeat(item, min_count, max_count)

    def _add_follow_in_concat(self, items: list[ParserExpression]) -> None:
        last = 0
        for item in items:
            self._deadline.check()
            self._add_follow(item)
            sets = self._first_last(item)
            for terminal in bits(last):
                self.follow[terminal] |= sets.first
                self.boundary[terminal] |= sets.first
            last = sets.last | (last if sets.is_nullable else 0)

    def _add_follow_in_repeat(self, item: ParserExpression, min_count: int, max_count: int | None) -> None:
        sets = self._first_last(item)
        mergeable = 0
        if min_count <= 1 and max_count is None:
            for lexeme in _sole_lexemes(item):
                if self._facts.is_repetition(lexeme.expression):
                    mergeable |= 1 << self._numbers[lexeme]
        for terminal in bits(sets.last):
            self.follow[terminal] |= sets.first
            self.boundary[terminal] |= sets.first & ~(mergeable & 1 << terminal)


def _sole_lexemes(expression: ParserExpression) -> Iterator[Lexeme]:
    """The lexemes of which one alone can be a match of an expression."""
    match expression:
        case Lexeme(_, None):
            yield expression
        case Lexeme(_, inner) if inner is not None:
            yield from _sole_lexemes(inner)
        case Choice(options):
            for option in options:
                yield from _sole_lexemes(option)


def _concat(sets: list[_FirstLast]) -> _FirstLast:
    result = _FirstLast(True, 0, 0)
    for following in sets:
        result = _FirstLast(
            result.is_nullable and following.is_nullable,
            result.first | (following.first if result.is_nullable else 0),
            following.last | (result.last if following.is_nullable else 0),
        )
    return result


def _choice(sets: list[_FirstLast]) -> _FirstLast:
    first = last = 0
    for option in sets:
        first |= option.first
        last |= option.last
    return _FirstLast(any(option.is_nullable for option in sets), first, last)
