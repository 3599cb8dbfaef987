"""RuleWriter: writes rules in Lark's syntax for texts whose tags may be special tokens of the model.

Parts are a list of strings, which stand for themselves; None, which is optional white space; {"pattern": regular
expression}; and other mappings, which `symbol` turns into the name of a rule.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Any

from grammar.lark import lark_code
from grammar.vocabulary import GrammarVocabulary

Part = str | Mapping[str, Any] | None

SPACE = r"(\x20|(\r?\n){1,2}[\x20\t]{0,8})?"
"""Bounded: a model may otherwise write white space for ever."""
SOME_SPACE = f"(/{SPACE.removesuffix('?')}/)?"
ANYTHING = "(?s:.*)"


@dataclass(frozen=True, slots=True)
class _SpecialToken:
    text: str
    token: int


class RuleWriter:
    def __init__(self, vocabulary: GrammarVocabulary, symbol: Callable[[Mapping[str, Any]], str]) -> None:
        self.lines = [f"TEXT: /{ANYTHING}/"]
        self._symbol = symbol
        self._split_special = cache(vocabulary.split_at_special)  # the calls of all tools have most parts in common

    def add(self, name: str, definition: str) -> None:
        self.lines.append(f"{name}: {definition}")

    def add_text_up_to(self, name: str, end: Sequence[Part]) -> None:
        """Adds a rule for text up to the first occurrence of `end`."""
        self.add_lazy(name, ANYTHING, end, "TEXT")

    def add_lazy(self, name: str, before: str, end: Sequence[Part], rule_before: str) -> None:
        """Adds a rule for what the expression `before` matches, up to the first occurrence of `end`. The same as a
        rule, `rule_before`, is used if `end` has special tokens."""
        self.lines.append(f"{name}_spelled[lazy]: /{before}{self.pattern(end)}/")
        by_token = f" | {rule_before} {self.sequence(end)}" if self.has_special(end) else ""
        self.add(name, f"{name}_spelled{by_token}")

    def add_bounded(self, name: str, before: str, end: str, expressions: Sequence[str]) -> None:
        """Adds a rule for a text between `before` and the first occurrence of `end`. All of it has to match each of
        the expressions, which are in Lark's notation."""
        terminal = name.upper()
        self.add(terminal, " & ".join(f"/{expression}/" for expression in expressions))
        start = f"/{self.pattern([before])}/ " if before else ""
        after_end = f"/{ANYTHING}{self.pattern([end.strip()])}(?s:.+)/"
        self.add(f"{terminal}_END", f"({start}{terminal} /{self.pattern([end])}/) & ~{after_end}")
        self.lines.append(f"{name}_spelled[lazy]: {terminal}_END")
        by_token = ""
        if self.has_special([end]):
            head, rest = self._split_before_special(end)
            self.add(f"{terminal}_HEAD", f"{start}{terminal}{f' /{self.pattern([head])}/' if head else ''}")
            by_token = f" | {terminal}_HEAD {self.sequence([rest])}"
        self.add(name, f"{name}_spelled{by_token}")

    def add_free(self, name: str, start: str, end: str) -> None:
        """Adds a rule for text up to the first occurrence of `end`; `start` is an expression for its beginning."""
        self.lines.append(f"{name}_spelled[lazy]: /{start}{self.pattern([end])}/")
        by_token = ""
        if self.has_special([end]):
            head, rest = self._split_before_special(end)
            text = f"/{start}{self.pattern([head])}/" if head else f"(/{start}/)?"
            by_token = f" | {text} {self.sequence([rest])}"
        self.add(name, f"{name}_spelled{by_token}")

    def has_special(self, parts: Sequence[Part]) -> bool:
        return any(isinstance(part, _SpecialToken) for part in self._split(parts))

    def sequence(self, parts: Sequence[Part]) -> str:
        """Returns the parts as a sequence in a rule. A special token may be generated as itself or as its text."""
        symbols: list[str] = []
        for is_text, group in groupby(self._split(parts), key=_is_text):
            run = list(group)
            if is_text:
                symbols.append(f"/{self.pattern(run)}/" if any(run) else SOME_SPACE)
            else:
                symbols += map(self._symbol_of, run)
        return " ".join(symbols)

    def pattern(self, parts: Sequence[Part | _SpecialToken]) -> str:
        """Returns a regular expression for parts that are all text."""
        return "".join(map(_part_pattern, parts))

    def _split(self, parts: Sequence[Part]) -> Iterator[Part | _SpecialToken]:
        for part in parts:
            if isinstance(part, str):
                pieces = self._split_special(part)
                yield from (text if token is None else _SpecialToken(text, token) for text, token in pieces)
            else:
                yield part

    def _split_before_special(self, text: str) -> tuple[str, str]:
        """Returns what is before the first special token in a text, and the rest."""
        first = next(self._split([text]))
        head = first if isinstance(first, str) else ""
        return head, text.removeprefix(head)

    def _symbol_of(self, part: Part | _SpecialToken) -> str:
        if isinstance(part, _SpecialToken):
            return f"(<[{part.token}]> | /{_part_pattern(part.text)}/)"
        assert isinstance(part, Mapping)
        return self._symbol(part)


def _is_text(part: Part | _SpecialToken) -> bool:
    return part is None or isinstance(part, str) or (isinstance(part, Mapping) and "pattern" in part)


def _part_pattern(part: Part | _SpecialToken) -> str:
    match part:
        case None:
            return SPACE
        case str():
            return "".join(c if c.isascii() and c.isalnum() else lark_code(ord(c)) for c in part)
        case _SpecialToken(text):
            return _part_pattern(text)
        case {"pattern": pattern}:
            return f"({pattern})"
    raise ValueError(f"{part} is no text")
