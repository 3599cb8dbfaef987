"""Grammar of an assistant's turn: optional reasoning, then free text, tool calls, or JSON.

The source is a JSON object:

    thoughts   null, or {"start": text, "end": text, "is_open": whether the prompt has already begun them}
    content    a list of {"start": text, "end": text}: what free text and JSON are between, one of them if there are
               any; without an end only the end of the turn ends them
    text       whether free text is allowed
    calls      null, or {"trigger": parts, "only_at_start": bool, "first": [parts, ...], "others": [{"trigger",
               "first"}, ...], "later": [parts, ...], "end": parts}: what begins a run of calls, the alternatives for
               the first, the same in other forms, the alternatives for each later call, and what ends the run
    arguments  null, or the syntax of arguments that are not one JSON object
    json       null, or the number of the schema that an answer without calls matches
    schemas    [[name in error messages, text of the schema], ...]

Parts are those of `grammar.rule_writer`, with {"schema": number} for a value that matches that schema: the arguments of
a call, or any JSON.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from grammar.call_arguments.rules import ArgumentRules
from grammar.call_arguments.syntax import ArgumentSyntax
from grammar.errors import GrammarError
from grammar.json_schema.schema import schema_to_value
from grammar.rule_writer import ANYTHING, SOME_SPACE, SPACE, RuleWriter
from grammar.vocabulary import GrammarVocabulary


def turn_schemas(text: str) -> list[tuple[str, str]]:
    """Returns the schemas of a turn, each as its name in error messages and its text."""
    return [(name, schema) for name, schema in json.loads(text)["schemas"]]


def turn_to_rules(text: str, vocabulary: GrammarVocabulary) -> str:
    """Returns rules in Lark's syntax. Raises GrammarError, which names the schema, as `schema_to_value` does."""
    turn = json.loads(text)
    rules = _TurnRules(vocabulary, turn)
    rules.add_schemas()
    rules.add_answer()
    rules.add_start()
    return "\n".join(rules.writer.lines)


class _TurnRules:
    def __init__(self, vocabulary: GrammarVocabulary, turn: Mapping[str, Any]) -> None:
        self.writer = RuleWriter(vocabulary, lambda part: f"schema_{part['schema']}")
        self._turn = turn
        self._content = turn.get("content") or []

    def add_schemas(self) -> None:
        syntax = self._turn.get("arguments")
        arguments = ArgumentRules(self.writer, ArgumentSyntax.from_json(syntax)) if syntax else None
        for number, (name, schema) in enumerate(self._turn["schemas"]):
            try:
                if arguments and number != self._turn["json"]:
                    arguments.add(f"schema_{number}", schema)
                else:
                    self.writer.add(f"schema_{number}", schema_to_value(schema))
            except GrammarError as error:
                raise GrammarError(f"{name}: {error}") from None

    def add_start(self) -> None:
        thoughts = self._turn["thoughts"]
        if thoughts is None:
            self.writer.add("start", "answer")
            return
        self.writer.add_text_up_to("thoughts", [thoughts["end"]])
        # If free text is allowed, the turn may end within the reasoning.
        rest = f"(thoughts answer{' | TEXT' if self._turn['text'] else ''})"
        if thoughts["is_open"]:
            self.writer.add("start", rest)
        else:
            self.writer.add_lazy("opening", SPACE, [thoughts["start"].lstrip()], SOME_SPACE)
            self.writer.add("start", f"answer | opening {rest}")

    def add_answer(self) -> None:
        calls = self._turn["calls"]
        if calls is None:
            self.writer.add("answer", self._json())
            return
        forms = [calls, *calls.get("others", [])]
        for number, form in enumerate(forms):
            self._add_run(number, form, calls)
        begin = " | ".join(
            f"{self.writer.sequence([None, *form['trigger']])} run_{number}" for number, form in enumerate(forms)
        )
        if not self._turn["text"]:
            self.writer.add("answer", begin + ("" if self._turn["json"] is None else f" | {self._json()}"))
            return
        alternatives = [begin, *self._plain(calls)] if calls["only_at_start"] else self._text_or_calls(forms)
        alternatives += [f"{start} TEXT" for start in self._content_starts()]
        self.writer.add("last", " | ".join(alternatives))
        sections = self._sections()
        self.writer.add("answer", f"({' | '.join(sections)})* last" if sections else "last")

    def _plain(self, calls: Mapping[str, Any]) -> list[str]:
        """Returns rules for text that does not begin as a call does."""
        if not calls["trigger"]:
            return []
        self.writer.add("PLAIN", f"TEXT & ~/{self.writer.pattern([None, *calls['trigger']])}{ANYTHING}/")
        return ["PLAIN"]

    def _text_or_calls(self, forms: Sequence[Mapping[str, Any]]) -> list[str]:
        """Returns rules for text, and for text up to a call."""
        alternatives = ["TEXT"]
        for number, form in enumerate(forms):
            self.writer.add_text_up_to(f"trigger_{number}", form["trigger"])
            alternatives.append(f"trigger_{number} run_{number}")
        return alternatives

    def _sections(self) -> list[str]:
        """Returns rules for free text that is followed by more."""
        sections: list[str] = []
        for number, (tags, start) in enumerate(zip(self._content, self._content_starts(), strict=True)):
            if tags["end"]:
                self.writer.add_text_up_to(f"content_{number}", [tags["end"]])
                sections.append(f"{start} content_{number}")
        return sections

    def _content_starts(self) -> list[str]:
        return [self.writer.sequence([None, tags["start"].strip()]) for tags in self._content]

    def _json(self) -> str:
        value = f"{SOME_SPACE} schema_{self._turn['json']}"
        if not self._content:
            return value
        end = self._content[0]["end"]
        closing = f"({self.writer.sequence([None, end.strip()])})?" if end.strip() else ""
        return f"({self._content_starts()[0]})? {value} {closing}"

    def _add_run(self, number: int, form: Mapping[str, Any], calls: Mapping[str, Any]) -> None:
        first, later = (" | ".join(map(self.writer.sequence, parts)) for parts in (form["first"], calls["later"]))
        further = f"({later})*" if later else ""
        self.writer.add(f"run_{number}", f"({first}) {further} {self.writer.sequence(calls['end'])}")
