"""The characters of a grammar, as few as it tells apart."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping

from grammar.gbnf.characters import Ranges
from grammar.gbnf.syntax_tree import Characters, Literal, Rule, walk


class Alphabet:
    """Classes of characters that the grammar treats alike. A set of characters is an integer with a bit per class."""

    def __init__(self, rules: Mapping[str, Rule]) -> None:
        starts = {0}
        for rule in rules.values():
            for first, last in _ranges_in(rule):
                starts |= {first, last + 1}
        self._starts = sorted(starts)
        self._known: dict[Ranges, int] = {}

    def set_of(self, ranges: Ranges) -> int:
        """The set of the characters in some ranges, which have to be of the grammar."""
        known = self._known.get(ranges)
        if known is None:
            known = 0
            for first, last in ranges:
                known |= (1 << bisect_left(self._starts, last + 1)) - (1 << bisect_left(self._starts, first))
            self._known[ranges] = known
        return known

    def character(self, character: str) -> int:
        """The set of one character of the grammar."""
        return 1 << bisect_left(self._starts, ord(character))

    def meeting(self, first: int, last: int) -> int:
        """The set of the classes that have any character from `first` to `last`, which may be any."""
        return (1 << bisect_right(self._starts, last)) - (1 << (bisect_right(self._starts, first) - 1))


def _ranges_in(rule: Rule) -> Iterable[tuple[int, int]]:
    for part in walk(rule.body):
        match part:
            case Literal(text):
                yield from ((ord(character), ord(character)) for character in text)
            case Characters(ranges):
                yield from ranges
