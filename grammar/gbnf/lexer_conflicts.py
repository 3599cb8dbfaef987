"""Where the lexer would not stop at the end of a lexeme.

llguidance's lexer takes the longest text that any of the lexemes that may come matches, and never goes back. GBNF has
no lexer: every way to cut a text into lexemes counts. Both are the same if the lexer has to stop wherever a lexeme can
end: if a text that one lexeme matches, together with a character that can come after it, is never the beginning of
what a lexeme matches that might have come in its place. Such a lexeme has to be cut into smaller ones. A lexeme of one
character never goes on, so there is always a way.
"""

from collections.abc import Iterable, Mapping

from grammar.gbnf.automaton import START, LexemeFacts, PositionAutomaton
from grammar.gbnf.follow_sets import FollowSets, bits
from grammar.gbnf.lexemes import Lexeme, Terminal, TokenLexeme
from grammar.limits import Deadline

_MAX_PAIRED_TERMINALS = 500
"""Terminals for which it is found out which can come in place of which. With more, all of them might."""
_MAX_STATES = 20_000
"""States of a pair of lexemes that are looked at; beyond that, they clash."""


class LexerConflicts:
    """Finds lexemes that have to be cut."""

    def __init__(self, regular: LexemeFacts, deadline: Deadline) -> None:
        self._regular = regular
        self._deadline = deadline
        self._known: dict[tuple[Lexeme, int, Lexeme], bool] = {}

    def find(self, order: FollowSets) -> list[Lexeme]:
        """The lexemes in which the lexer would go on where another lexeme ends, or they themselves do."""
        if not any(order.boundary):
            return []
        starts = self._starts(order)
        rivals = find_rivals(order, starts, self._deadline)
        after = [self._characters_after(order, number, starts) for number in range(len(order.terminals))]
        ending = sum(1 << number for number, characters in enumerate(after) if characters)
        return [
            lexeme
            for number, lexeme in enumerate(order.terminals)
            if isinstance(lexeme, Lexeme)
            and self._regular.automaton(lexeme).is_multi_character
            and any(
                self._overruns(lexeme, order.terminals[rival], after[rival])
                for rival in bits(rivals[number] & ending)
                if starts[rival] & starts[number]
            )
        ]

    def rivals(self, order: FollowSets) -> list[int]:
        """For each terminal those that can come in its place, itself among them, after the same beginning of a text."""
        return find_rivals(order, self._starts(order), self._deadline)

    def _overruns(self, lexeme: Lexeme, ending: Terminal, after: int) -> bool:
        """Whether a lexeme goes on where another terminal ends, with these characters after it."""
        if isinstance(ending, TokenLexeme):
            return False
        self._deadline.check()
        key = (ending, after, lexeme)
        if key not in self._known:
            self._known[key] = overruns(self._regular.automaton(ending), after, self._regular.automaton(lexeme))
        return self._known[key]

    def _starts(self, order: FollowSets) -> list[int]:
        """The characters that each terminal can begin with; none for a token."""
        return [self._regular.automaton(t).first_characters if isinstance(t, Lexeme) else 0 for t in order.terminals]

    def _characters_after(self, order: FollowSets, number: int, starts: list[int]) -> int:
        """The characters that can come after a terminal, where it has to end."""
        characters = 0
        for following in bits(order.boundary[number]):
            characters |= starts[following]
        return characters


def overruns(ending: PositionAutomaton, after: int, longer: PositionAutomaton) -> bool:
    """Whether there is a text that `ending` matches, and a character in `after`, that together begin a text that
    `going_on` matches."""
    start = frozenset([START])
    states = [(start, start)]
    seen = set(states)
    while states:
        state = states.pop()
        for ours, theirs in _joint_transitions(ending.transitions(state[0]), longer.transitions(state[1])):
            if ours & ending.accepting and longer.next_characters(theirs) & after:
                return True
            if (ours, theirs) not in seen:
                seen.add((ours, theirs))
                states.append((ours, theirs))
        if len(seen) > _MAX_STATES:
            return True
    return False


def _joint_transitions(
    ours: Mapping[int, set[int]], theirs: Mapping[int, set[int]]
) -> Iterable[tuple[frozenset[int], frozenset[int]]]:
    """Where a character leads two automata, for all characters that lead both somewhere."""
    for characters in _partition([*ours, *theirs]):
        here = frozenset().union(*(positions for some, positions in ours.items() if some & characters))
        there = frozenset().union(*(positions for some, positions in theirs.items() if some & characters))
        if here and there:
            yield here, there


def _partition(sets: Iterable[int]) -> list[int]:
    """The largest sets of characters that each of these contains as a whole, or not at all."""
    classes: list[int] = []
    for characters in sets:
        rest = characters
        refined = []
        for known in classes:
            refined += [part for part in (known & characters, known & ~characters) if part]
            rest &= ~known
        classes = [*refined, rest] if rest else refined
    return classes


def find_rivals(order: FollowSets, starts: list[int], deadline: Deadline) -> list[int]:
    """For each terminal, with the characters that it can start with, those that can come in its place."""
    n_terminals = len(order.terminals)
    if n_terminals > _MAX_PAIRED_TERMINALS:
        return [(1 << n_terminals) - 1] * n_terminals
    rivals = [0] * n_terminals
    waiting = [(order.first, order.first)]
    seen = set(waiting)
    while waiting:
        some, others = waiting.pop()
        for terminal in bits(some):
            deadline.check()
            new = others & ~rivals[terminal]
            rivals[terminal] |= new
            alike = (other for other in bits(new) if _may_be_alike(order, starts, terminal, other))
            for after in {(order.follow[terminal], order.follow[other]) for other in alike} - seen:
                seen |= {after, after[::-1]}
                waiting += [after, after[::-1]]
    return rivals


def _may_be_alike(order: FollowSets, starts: list[int], one: int, other: int) -> bool:
    """Whether two terminals might match the same text."""
    first, second = order.terminals[one], order.terminals[other]
    if isinstance(first, TokenLexeme) and isinstance(second, TokenLexeme):
        return bool(first.named_ids & second.named_ids) or (first.has_unnamed and second.has_unnamed)
    return one == other or bool(starts[one] & starts[other])
