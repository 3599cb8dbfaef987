"""Position automaton of a lexeme (Glushkov's construction): its states are the occurrences of characters.

A repetition of more than one counts as any number of times, so an automaton may accept longer texts than its lexeme.
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

START = 0
"""The position before the first character."""


@dataclass(frozen=True, slots=True)
class _Fragment:
    """The part of an automaton that an expression becomes: its first and its last positions."""

    is_nullable: bool
    first: list[int]
    last: list[int]


class PositionAutomaton:
    """The occurrences of characters in a lexeme, and which can follow which."""

    def __init__(self, expression: Expression, rules: Mapping[str, Rule], alphabet: "Alphabet") -> None:
        self._rules = rules
        self._alphabet = alphabet
        self._characters = [0]
        self._follow: list[list[list[int]]] = [[]]
        self._transitions: dict[frozenset[int], dict[int, set[int]]] = {}
        lexeme = self._fragment(expression)
        self._connect([START], lexeme.first)
        self.accepting = frozenset(lexeme.last)
        """The positions at which the lexeme can end."""
        self.first_characters = self.next_characters(frozenset([START]))
        self.continuation_characters = self.next_characters(self.accepting)
        """The characters that can follow at a point at which the lexeme could also end."""
        self.is_multi_character = any(self._follow[1:])

    def transitions(self, positions: frozenset[int]) -> Mapping[int, set[int]]:
        """The positions that can follow any of these, by the set of characters that leads to them."""
        transitions = self._transitions.get(positions)
        if transitions is None:
            transitions = self._transitions[positions] = {}
            for position in chain.from_iterable(map(self._followers, positions)):
                transitions.setdefault(self._characters[position], set()).add(position)
        return transitions

    def next_characters(self, positions: frozenset[int]) -> int:
        characters = 0
        for character_set in self.transitions(positions):
            characters |= character_set
        return characters

    def _followers(self, position: int) -> Iterator[int]:
        return chain.from_iterable(self._follow[position])

    def _fragment(self, expression: Expression) -> _Fragment:
        match expression:
            case Literal(text):
                return self._concat([self._new_position(self._alphabet.character_to_set(c)) for c in text])
            case Characters(ranges):
                return self._new_position(self._alphabet.ranges_to_set(ranges))
            case Reference(name):
                return self._fragment(self._rules[name].body)
            case Sequence(items):
                return self._concat([self._fragment(item) for item in items])
            case Alternatives(options):
                return _choice([self._fragment(option) for option in options])
            case Repetition(item, min_count, max_count):
                return self._repeat(self._fragment(item), min_count, max_count)
        raise AssertionError("a token is not part of a lexeme")

    def _new_position(self, characters: int) -> _Fragment:
        self._characters.append(characters)
        self._follow.append([])
        position = [len(self._characters) - 1]
        return _Fragment(False, position, position)

    def _concat(self, fragments: list[_Fragment]) -> _Fragment:
        result = _Fragment(True, [], [])
        for fragment in fragments:
            self._connect(result.last, fragment.first)
            first = result.first + fragment.first if result.is_nullable else result.first
            last = result.last + fragment.last if fragment.is_nullable else fragment.last
            result = _Fragment(result.is_nullable and fragment.is_nullable, first, last)
        return result

    def _repeat(self, fragment: _Fragment, min_count: int, max_count: int | None) -> _Fragment:
        if max_count != 1:
            self._connect(fragment.last, fragment.first)
        return _Fragment(min_count == 0 or fragment.is_nullable, fragment.first, fragment.last)

    def _connect(self, before: list[int], after: list[int]) -> None:
        # The lists are shared, not copied: a loop over n alternatives would otherwise take n * n entries.
        if after:
            for position in before:
                self._follow[position].append(after)


def _choice(fragments: list[_Fragment]) -> _Fragment:
    first = [position for fragment in fragments for position in fragment.first]
    last = [position for fragment in fragments for position in fragment.last]
    return _Fragment(any(fragment.is_nullable for fragment in fragments), first, last)


class LexemeFacts:
    """Properties of lexemes, each computed once."""

    def __init__(self, rules: Mapping[str, Rule], nullable_rules: Container[str], deadline: Deadline) -> None:
        self._rules = rules
        self._nullable_rules = nullable_rules
        self._deadline = deadline
        self.alphabet = Alphabet(rules)
        self._automata: dict[Lexeme, PositionAutomaton] = {}

    def automaton(self, lexeme: Lexeme) -> PositionAutomaton:
        automaton = self._automata.get(lexeme)
        if automaton is None:
            self._deadline.check()
            automaton = PositionAutomaton(lexeme.expression, self._rules, self.alphabet)
            self._automata[lexeme] = automaton
        return automaton

    def is_nullable(self, expression: Expression) -> bool:
        return is_nullable(expression, self._nullable_rules)

    def is_repetition(self, expression: Expression) -> bool:
        """Whether an expression is X* or X+. Two matches of it in a row are then also one match."""
        match expression:
            case Repetition(_, min_count, None):
                return min_count <= 1
            case Reference(name):
                return self.is_repetition(self._rules[name].body)
            case Sequence((item,)) | Alternatives((item,)):
                return self.is_repetition(item)
        return False


class Alphabet:
    """Classes of characters that the grammar does not tell apart. A set of characters is an int, one bit per class."""

    def __init__(self, rules: Mapping[str, Rule]) -> None:
        starts = {0}
        for rule in rules.values():
            for first, last in _character_ranges(rule):
                starts |= {first, last + 1}
        self._starts = sorted(starts)
        self._sets: dict[Ranges, int] = {}

    def ranges_to_set(self, ranges: Ranges) -> int:
        """The characters in ranges that occur in the grammar."""
        characters = self._sets.get(ranges)
        if characters is None:
            characters = 0
            for first, last in ranges:
                characters |= (1 << bisect_left(self._starts, last + 1)) - (1 << bisect_left(self._starts, first))
            self._sets[ranges] = characters
        return characters

    def character_to_set(self, character: str) -> int:
        return 1 << bisect_left(self._starts, ord(character))

    def overlapping(self, first: int, last: int) -> int:
        """The classes with any character from `first` to `last`, which need not occur in the grammar."""
        return (1 << bisect_right(self._starts, last)) - (1 << (bisect_right(self._starts, first) - 1))


def _character_ranges(rule: Rule) -> Iterable[tuple[int, int]]:
    for part in walk(rule.body):
        match part:
            case Literal(text):
                yield from ((ord(character), ord(character)) for character in text)
            case Characters(ranges):
                yield from ranges
