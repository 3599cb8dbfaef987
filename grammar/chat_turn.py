"""What a model says in its turn: thoughts, then text, calls of tools, or JSON.

The source is JSON: `thoughts` (null, or `start`, `end` and `is_open`), `text` (whether there may be free text), `calls`
(null, or `trigger`, `only_at_start`, the alternatives for the `first` and for each `later` one, and the `end`), `json`
(null, or the number of the schema that an answer without calls matches) and `schemas` (pairs of what an error calls it
and its text). Calls are spelled in parts: a string stands for itself, null for white space or nothing,
{"pattern": ...} for what matches a regular expression, {"schema": n} for a value that matches a schema.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Any

from grammar.errors import GrammarError
from grammar.json_schema.schema import schema_to_value
from grammar.lark import lark_code
from grammar.vocabulary import GrammarVocabulary

Part = str | Mapping[str, Any] | None

_SPACE = r"(\x20|(\r?\n){1,2}[\x20\t]{0,8})?"
"""Not any number of them: a model may otherwise never stop."""
_SOME_SPACE = f"(/{_SPACE.removesuffix('?')}/)?"
_ANYTHING = "(?s:.*)"


def turn_schemas(text: str) -> list[tuple[str, str]]:
    """What an error calls each schema of a turn, and its text."""
    return [(name, schema) for name, schema in json.loads(text)["schemas"]]


def turn_to_rules(text: str, vocabulary: GrammarVocabulary) -> str:
    """Rules in Lark's syntax for a turn, given as JSON. Raises GrammarError, which names the schema, as
    `schema_to_value` does."""
    turn = json.loads(text)
    rules = _Rules(vocabulary)
    for number, (name, schema) in enumerate(turn["schemas"]):
        rules.add_schema(number, name, schema)
    rules.add_answer(turn)
    rules.add_start(turn)
    return "\n".join(rules.lines)


@dataclass(frozen=True, slots=True)
class _SpecialToken:
    text: str
    token: int


class _Rules:
    def __init__(self, vocabulary: GrammarVocabulary) -> None:
        self.lines = [f"TEXT: /{_ANYTHING}/"]
        self._split_special = cache(vocabulary.split_at_special)  # the calls of all tools are made of the same texts

    def add_schema(self, number: int, name: str, schema: str) -> None:
        try:
            self.lines.append(f"schema_{number}: {schema_to_value(schema)}")
        except GrammarError as error:
            raise GrammarError(f"{name}: {error}") from None

    def add_start(self, turn: Mapping[str, Any]) -> None:
        thoughts = turn["thoughts"]
        if thoughts is None:
            self.lines.append("start: answer")
            return
        self._add_text_up_to("thoughts", [thoughts["end"]])
        # Free text may end anywhere, also within the thoughts.
        rest = f"(thoughts answer{' | TEXT' if turn['text'] else ''})"
        if thoughts["is_open"]:
            self.lines.append(f"start: {rest}")
        else:
            self._add_lazy("opening", _SPACE, [thoughts["start"]], _SOME_SPACE)
            self.lines.append(f"start: answer | opening {rest}")

    def add_answer(self, turn: Mapping[str, Any]) -> None:
        calls = turn["calls"]
        if calls is None:
            self.lines.append(f"answer: {_SOME_SPACE} schema_{turn['json']}")
            return
        self._add_run(calls)
        if not turn["text"]:
            other = "" if turn["json"] is None else f" | {_SOME_SPACE} schema_{turn['json']}"
            self.lines.append(f"answer: {self._sequence([None, *calls['trigger']])} run{other}")
        elif calls["only_at_start"]:
            trigger = _pattern([None, *calls["trigger"]])
            self.lines.append(f"PLAIN: TEXT & ~/{trigger}{_ANYTHING}/")
            self.lines.append(f"answer: PLAIN | {self._sequence([None, *calls['trigger']])} run")
        else:
            self._add_text_up_to("trigger", calls["trigger"])
            self.lines.append("answer: TEXT | trigger run")

    def _add_run(self, calls: Mapping[str, Any]) -> None:
        first, later = (" | ".join(map(self._sequence, calls[name])) for name in ("first", "later"))
        further = f"({later})*" if later else ""
        self.lines.append(f"run: ({first}) {further} {self._sequence(calls['end'])}")

    def _add_text_up_to(self, name: str, end: Sequence[Part]) -> None:
        """A rule for text that ends where some other text comes up in it first."""
        self._add_lazy(name, _ANYTHING, end, "TEXT")

    def _add_lazy(self, name: str, before: str, end: Sequence[Part], rule_before: str) -> None:
        self.lines.append(f"{name}_spelled[lazy]: /{before}{_pattern(end)}/")
        by_token = [rule_before, self._sequence(end)] if self._has_special(end) else []
        self.lines.append(f"{name}: {name}_spelled" + (f" | {' '.join(by_token)}" if by_token else ""))

    def _has_special(self, parts: Sequence[Part]) -> bool:
        return any(isinstance(part, _SpecialToken) for part in self._split(parts))

    def _split(self, parts: Sequence[Part]) -> Iterator[Part | _SpecialToken]:
        for part in parts:
            if isinstance(part, str):
                pieces = self._split_special(part)
                yield from (text if token is None else _SpecialToken(text, token) for text, token in pieces)
            else:
                yield part

    def _sequence(self, parts: Sequence[Part]) -> str:
        """What stands in a rule for parts in a row. Special tokens may come as themselves or spelled out."""
        symbols: list[str] = []
        for is_text, group in groupby(self._split(parts), key=_is_text):
            run = list(group)
            if is_text:
                symbols.append(f"/{_pattern(run)}/" if any(run) else _SOME_SPACE)
            else:
                symbols += map(_symbol, run)
        return " ".join(symbols)


def _is_text(part: Part | _SpecialToken) -> bool:
    return part is None or isinstance(part, str) or (isinstance(part, Mapping) and "pattern" in part)


def _symbol(part: Part | _SpecialToken) -> str:
    match part:
        case _SpecialToken():
            return f"(<[{part.token}]> | /{_pattern([part.text])}/)"
        case {"schema": number}:
            return f"schema_{number}"
    raise ValueError(f"{part} is text")


def _pattern(parts: Sequence[Part | _SpecialToken]) -> str:
    """A regular expression for parts that are text."""
    return "".join(map(_part_pattern, parts))


def _part_pattern(part: Part | _SpecialToken) -> str:
    match part:
        case None:
            return _SPACE
        case str():
            return "".join(c if c.isascii() and c.isalnum() else lark_code(ord(c)) for c in part)
        case {"pattern": pattern}:
            return f"({pattern})"
    raise ValueError(f"{part} is no text")
