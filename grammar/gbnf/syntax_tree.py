"""Syntax tree of a GBNF grammar, and sets of characters as ranges of code points."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

Ranges = tuple[tuple[int, int], ...]
"""First and last code points, ascending, with gaps in between."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A text, which may be empty."""

    text: str


@dataclass(frozen=True, slots=True)
class Characters:
    """One character of a set; if the set is empty, nothing matches."""

    ranges: Ranges


@dataclass(frozen=True, slots=True)
class Token:
    """One token by its id; with `is_negated` any other token that is text."""

    token: int
    is_negated: bool
    offset: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Reference:
    name: str
    offset: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Sequence:
    items: "tuple[Expression, ...]"


@dataclass(frozen=True, slots=True)
class Alternatives:
    """Any one of several options; without any, nothing matches."""

    options: "tuple[Expression, ...]"


@dataclass(frozen=True, slots=True)
class Repetition:
    """An item a number of times; no `max_count` is no limit."""

    item: "Expression"
    min_count: int
    max_count: int | None


Expression = Literal | Characters | Token | Reference | Sequence | Alternatives | Repetition


@dataclass(frozen=True, slots=True)
class Rule:
    name: str
    body: Expression
    offset: int
    """Where in the text the definition begins."""


@dataclass(frozen=True, slots=True)
class Grammar:
    """Rules by their names, and the text that their offsets refer to."""

    rules: Mapping[str, Rule]
    text: str

    def location(self, offset: int) -> str:
        return location(self.text, offset)


def location(text: str, offset: int) -> str:
    """Line and column of an offset, both counted from 1."""
    before = text[:offset].replace("\r\n", "\n").replace("\r", "\n")
    return f"line {before.count(chr(10)) + 1}, column {len(before) - before.rfind(chr(10))}"


def parts(expression: Expression) -> "tuple[Expression, ...]":
    """The direct subexpressions."""
    match expression:
        case Sequence(items):
            return items
        case Alternatives(options):
            return options
        case Repetition(item):
            return (item,)
    return ()


def walk(expression: Expression) -> Iterator[Expression]:
    """An expression and all its subexpressions, in the order of the text. Rules that it refers to are left out."""
    remaining = [expression]
    while remaining:
        yield (part := remaining.pop())
        remaining.extend(reversed(parts(part)))


def references(expression: Expression) -> Iterator[Reference]:
    return (part for part in walk(expression) if isinstance(part, Reference))


def height(expression: Expression) -> int:
    level, n_levels = [expression], 0
    while level:
        level = [part for upper in level for part in parts(upper)]
        n_levels += 1
    return n_levels


LAST_CHARACTER = 0x10FFFF
_SURROGATES = (0xD800, 0xDFFF)


def union(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """The characters in any of the ranges. Surrogates are left out: no text has them."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return _without_surrogates(merged)


def complement(ranges: Ranges) -> Ranges:
    """All other characters."""
    gaps, start = [], 0
    for first, last in ranges:
        gaps.append((start, first - 1))
        start = last + 1
    gaps.append((start, LAST_CHARACTER))
    return _without_surrogates(gaps)


def _without_surrogates(ranges: Iterable[tuple[int, int]]) -> Ranges:
    low, high = _SURROGATES
    split = [part for a, b in ranges for part in ((a, min(b, low - 1)), (max(a, high + 1), b))]
    return tuple((first, last) for first, last in dict.fromkeys(split) if first <= last)


ANY_CHARACTER = complement(())
