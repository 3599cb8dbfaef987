"""Grammar of an assistant's turn: optional reasoning, then free text, tool calls, or JSON.

The source is a JSON object:

    thoughts   null, or {"start": text, "end": text, "is_open": whether the prompt has already begun them}
    text       whether free text is allowed
    calls      null, or {"trigger": parts, "only_at_start": bool, "first": [parts, ...], "later": [parts, ...],
               "end": parts}: what begins a run of calls, the alternatives for the first and for each later call, and
               what ends the run
    json       null, or the number of the schema that an answer without calls matches
    schemas    [[name in error messages, text of the schema], ...]

Parts are a list of strings, which stand for themselves; null, which is optional white space; {"pattern": regular
expression}; and {"schema": number}, a value that matches that schema.
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
"""Bounded: a model may otherwise write white space for ever."""
_SOME_SPACE = f"(/{_SPACE.removesuffix('?')}/)?"
_ANYTHING = "(?s:.*)"


def turn_schemas(text: str) -> list[tuple[str, str]]:
    """Returns the schemas of a turn, each as its name in error messages and its text."""
    return [(name, schema) for name, schema in json.loads(text)["schemas"]]


def turn_to_rules(text: str, vocabulary: GrammarVocabulary) -> str:
    """Returns rules in Lark's syntax. Raises GrammarError, which names the schema, as `schema_to_value` does."""
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
        self._split_special = cache(vocabulary.split_at_special)  # the calls of all tools have most parts in common

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
        # If free text is allowed, the turn may end within the reasoning.
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
        """Adds a rule for text up to the first occurrence of `end`."""
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
        """The parts as a sequence in a rule. A special token may be generated as itself or as its text."""
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
    """A regular expression for parts without special tokens and schemas."""
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
