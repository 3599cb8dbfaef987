"""Lexer conflicts: lexemes that a greedy lexer would read past the end of another lexeme, or of themselves.

llguidance's lexer takes the longest text that any lexeme of the parser's state matches, and never backtracks. GBNF has
no lexer: every way to split a text into lexemes counts. The two agree if no lexeme A, followed by a character that can
come after it, is the beginning of a match of a lexeme B that could have come in the place of A. Otherwise B has to be
split into smaller lexemes. A lexeme of one character overruns nothing, so splitting always ends.
"""

from collections.abc import Iterable, Mapping

from grammar.gbnf.automaton import START, LexemeFacts, PositionAutomaton
from grammar.gbnf.follow_sets import FollowSets, bits
from grammar.gbnf.lexemes import Lexeme, Terminal, TokenLexeme
from grammar.limits import Deadline

_MAX_PAIRED_TERMINALS = 500
"""In a grammar with more terminals, any of them counts as a rival of any other."""
_MAX_STATES = 20_000
"""States of a pair of automata; a pair with more counts as a conflict."""


class LexerConflicts:
    def __init__(self, facts: LexemeFacts, deadline: Deadline) -> None:
        self._facts = facts
        self._deadline = deadline
        self._cache: dict[tuple[Lexeme, int, Lexeme], bool] = {}

    def find(self, follow_sets: FollowSets) -> list[Lexeme]:
        """The lexemes that the lexer would continue with where one of their rivals, or they themselves, should end."""
        if not any(follow_sets.boundary):
            return []
        terminals = follow_sets.terminals
        starts = self._first_characters(follow_sets)
        rivals = _find_rivals(follow_sets, starts, self._deadline)
        after = [self._boundary_characters(follow_sets, number, starts) for number in range(len(terminals))]
        ending = sum(1 << number for number, characters in enumerate(after) if characters)
        return [
            lexeme
            for number, lexeme in enumerate(terminals)
            if isinstance(lexeme, Lexeme)
            and self._facts.automaton(lexeme).is_multi_character
            and any(
                self._overruns(lexeme, terminals[rival], after[rival])
                for rival in bits(rivals[number] & ending)
                if starts[rival] & starts[number]
            )
        ]

    def rivals(self, follow_sets: FollowSets) -> list[int]:
        """For each terminal, the set of those that can come in its place after the same text, itself included."""
        return _find_rivals(follow_sets, self._first_characters(follow_sets), self._deadline)

    def _overruns(self, lexeme: Lexeme, ending: Terminal, after: int) -> bool:
        if isinstance(ending, TokenLexeme):
            return False
        self._deadline.check()
        key = (ending, after, lexeme)
        if key not in self._cache:
            self._cache[key] = overruns(self._facts.automaton(lexeme), self._facts.automaton(ending), after)
        return self._cache[key]

    def _first_characters(self, follow_sets: FollowSets) -> list[int]:
        """The characters that each terminal can begin with; none for a token."""
        return [
            self._facts.automaton(terminal).first_characters if isinstance(terminal, Lexeme) else 0
            for terminal in follow_sets.terminals
        ]

    def _boundary_characters(self, follow_sets: FollowSets, terminal: int, starts: list[int]) -> int:
        """The characters before which a terminal has to end."""
        characters = 0
        for following in bits(follow_sets.boundary[terminal]):
            characters |= starts[following]
        return characters


def overruns(longer: PositionAutomaton, ending: PositionAutomaton, after: int) -> bool:
    """Whether a match of `ending` and one of the characters in `after` together begin a match of `longer`.

    Walks the product of the two automata.
    """
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
    """The pairs of states that one character leads two automata to."""
    for characters in _partition([*ours, *theirs]):
        our_states = frozenset().union(*(positions for some, positions in ours.items() if some & characters))
        their_states = frozenset().union(*(positions for some, positions in theirs.items() if some & characters))
        if our_states and their_states:
            yield our_states, their_states


def _partition(sets: Iterable[int]) -> list[int]:
    """The coarsest partition of the union of some sets of which each set is a union of classes."""
    classes: list[int] = []
    for characters in sets:
        rest = characters
        refined = []
        for known in classes:
            refined += [part for part in (known & characters, known & ~characters) if part]
            rest &= ~known
        classes = [*refined, rest] if rest else refined
    return classes


def _find_rivals(follow_sets: FollowSets, starts: list[int], deadline: Deadline) -> list[int]:
    n_terminals = len(follow_sets.terminals)
    if n_terminals > _MAX_PAIRED_TERMINALS:
        return [(1 << n_terminals) - 1] * n_terminals
    rivals = [0] * n_terminals
    worklist = [(follow_sets.first, follow_sets.first)]
    seen = set(worklist)
    while worklist:
        terminals, others = worklist.pop()
        for terminal in bits(terminals):
            deadline.check()
            new = others & ~rivals[terminal]
            rivals[terminal] |= new
            alike = (other for other in bits(new) if _can_match_same_text(follow_sets, starts, terminal, other))
            for after in {(follow_sets.follow[terminal], follow_sets.follow[other]) for other in alike} - seen:
                seen |= {after, after[::-1]}
                worklist += [after, after[::-1]]
    return rivals


def _can_match_same_text(follow_sets: FollowSets, starts: list[int], one: int, other: int) -> bool:
    """Whether two terminals might match the same text, judged by their first characters."""
    first, second = follow_sets.terminals[one], follow_sets.terminals[other]
    if isinstance(first, TokenLexeme) and isinstance(second, TokenLexeme):
        return bool(first.named_ids & second.named_ids) or (first.has_unnamed and second.has_unnamed)
    return one == other or bool(starts[one] & starts[other])
