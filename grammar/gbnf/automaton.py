"""A lexeme by its characters: Glushkov's automaton, whose states are the places of characters in an expression.

Numbers of repetitions above one count as any number. What it tells holds for the lexeme, and for some longer texts.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from grammar.gbnf.checks import is_nullable
from grammar.gbnf.lexemes import Lexeme
from grammar.gbnf.syntax_tree import (
    Alternatives,
    Characters,
    Expression,
    Literal,
    Ranges,
    Reference,
    Repetition,
    Rule,
    Sequence,
    walk,
)
from grammar.limits import Deadline


class Alphabet:
    """Classes of characters that the grammar treats alike. A set of characters is an integer with a bit per class."""

    def __init__(self, rules: Mapping[str, Rule]) -> None:
        starts = {0}
        for rule in rules.values():
            for first, last in _ranges_in(rule):
                starts |= {first, last + 1}
        self._starts = sorted(starts)
        self._known: dict[Ranges, int] = {}

    def ranges_to_set(self, ranges: Ranges) -> int:
        """The set of the characters in some ranges, which have to be of the grammar."""
        known = self._known.get(ranges)
        if known is None:
            known = 0
            for first, last in ranges:
                known |= (1 << bisect_left(self._starts, last + 1)) - (1 << bisect_left(self._starts, first))
            self._known[ranges] = known
        return known

    def character_to_set(self, character: str) -> int:
        """The set of one character of the grammar."""
        return 1 << bisect_left(self._starts, ord(character))

    def overlapping(self, first: int, last: int) -> int:
        """The set of the classes that have any character from `first` to `last`, which may be any."""
        return (1 << bisect_right(self._starts, last)) - (1 << (bisect_right(self._starts, first) - 1))


def _ranges_in(rule: Rule) -> Iterable[tuple[int, int]]:
    for part in walk(rule.body):
        match part:
            case Literal(text):
                yield from ((ord(character), ord(character)) for character in text)
            case Characters(ranges):
                yield from ranges


START = 0
"""The position before the first character."""


@dataclass(frozen=True, slots=True)
class _Fragment:
    """The part of an automaton that an expression is."""

    is_nullable: bool
    first: list[int]
    last: list[int]


class PositionAutomaton:
    """The places of characters in a lexeme, and which can come after which."""

    def __init__(self, expression: Expression, rules: Mapping[str, Rule], alphabet: Alphabet) -> None:
        self._rules = rules
        self._alphabet = alphabet
        self._characters = [0]
        self._follow: list[list[list[int]]] = [[]]
        self._moves: dict[frozenset[int], dict[int, set[int]]] = {}
        whole = self._span(expression)
        self._connect([START], whole.first)
        self.accepting = frozenset(whole.last)
        """The positions that the lexeme can end at."""
        self.first_characters = self.next_characters(frozenset([START]))
        """The characters that it can begin with."""
        self.continuation_characters = self.next_characters(self.accepting)
        """The characters that can come where it could end."""
        self.is_multi_character = any(self._follow[1:])
        """Whether it has more than one character."""

    def transitions(self, positions: frozenset[int]) -> Mapping[int, set[int]]:
        """The positions that can come after any of some, by the set of characters that leads there."""
        known = self._moves.get(positions)
        if known is None:
            known = self._moves[positions] = {}
            for position in chain.from_iterable(map(self._after, positions)):
                known.setdefault(self._characters[position], set()).add(position)
        return known

    def next_characters(self, positions: frozenset[int]) -> int:
        """The characters that can come after any of some positions."""
        characters = 0
        for some in self.transitions(positions):
            characters |= some
        return characters

    def _after(self, position: int) -> Iterator[int]:
        return chain.from_iterable(self._follow[position])

    def _span(self, expression: Expression) -> _Fragment:
        match expression:
            case Literal(text):
                return self._chain([self._position(self._alphabet.character_to_set(character)) for character in text])
            case Characters(ranges):
                return self._position(self._alphabet.ranges_to_set(ranges))
            case Reference(name):
                return self._span(self._rules[name].body)
            case Sequence(items):
                return self._chain([self._span(item) for item in items])
            case Alternatives(options):
                return _either([self._span(option) for option in options])
            case Repetition(item, least, most):
                return self._repeated(self._span(item), least, most)
        raise AssertionError("a token is not part of a lexeme")

    def _position(self, characters: int) -> _Fragment:
        self._characters.append(characters)
        self._follow.append([])
        position = [len(self._characters) - 1]
        return _Fragment(False, position, position)

    def _chain(self, spans: list[_Fragment]) -> _Fragment:
        whole = _Fragment(True, [], [])
        for span in spans:
            self._connect(whole.last, span.first)
            first = whole.first + span.first if whole.is_nullable else whole.first
            last = whole.last + span.last if span.is_nullable else span.last
            whole = _Fragment(whole.is_nullable and span.is_nullable, first, last)
        return whole

    def _repeated(self, span: _Fragment, least: int, most: int | None) -> _Fragment:
        if most != 1:
            self._connect(span.last, span.first)
        return _Fragment(least == 0 or span.is_nullable, span.first, span.last)

    def _connect(self, before: list[int], after: list[int]) -> None:
        if after:
            for position in before:
                self._follow[position].append(after)


def _either(spans: list[_Fragment]) -> _Fragment:
    first = [position for span in spans for position in span.first]
    last = [position for span in spans for position in span.last]
    return _Fragment(any(span.is_nullable for span in spans), first, last)


class LexemeFacts:
    """Answers questions about lexemes, each once."""

    def __init__(self, rules: Mapping[str, Rule], nullable_rules: Container[str], deadline: Deadline) -> None:
        """`empty_rules` are those that match the empty text."""
        self._rules = rules
        self._nullable_rules = nullable_rules
        self._deadline = deadline
        self.alphabet = Alphabet(rules)
        self._positions: dict[Lexeme, PositionAutomaton] = {}

    def is_nullable(self, expression: Expression) -> bool:
        """Whether an expression matches the empty text."""
        return is_nullable(expression, self._nullable_rules)

    def is_repetition(self, expression: Expression) -> bool:
        """Whether an expression matches any number of something, from zero or one on. Then what it matches twice in a
        row, it matches at once."""
        match expression:
            case Repetition(_, least, None):
                return least <= 1
            case Reference(name):
                return self.is_repetition(self._rules[name].body)
            case Sequence((only,)) | Alternatives((only,)):
                return self.is_repetition(only)
        return False

    def automaton(self, lexeme: Lexeme) -> PositionAutomaton:
        """The characters of a lexeme."""
        known = self._positions.get(lexeme)
        if known is None:
            self._deadline.check()
            known = self._positions[lexeme] = PositionAutomaton(lexeme.expression, self._rules, self.alphabet)
        return known
