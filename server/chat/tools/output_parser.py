"""OutputParser: splits the text of a model's turn into reasoning, content and tool calls while it is generated.

Each state is a method that consumes text; `->` is a change of state:

    start -> read_reasoning -> start_answer -> read_text                    (no tool format)
      ^                                     -> read_text_until_call <-----------------+
      |                                            |   ^                              |
      +------- end of a section of content --------+   | emit_trigger (no call)       |
                                                   v   |                              |
                                               start_call                             |
                                                   |                                  |
                                                   v                                  |
                                               read_arguments <-----------+           |
                                                   |                      |           |
                                                   v                      |           |
                                               finish_call -> read_between_calls -----+
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from string import ascii_letters, digits
from typing import Self

from grammar.call_arguments.objects import Arguments
from server.chat.tools.arguments import ArgumentsReader, JsonReader, SyntaxReader
from server.chat.tools.call_format import Pattern, Placeholder, ToolFormat
from server.chat.tools.matching import NoMatch, PatternMatch, match_pattern
from server.chat.tools.reasoning import ContentTags, ReasoningTags


@dataclass(frozen=True, slots=True)
class ContentDelta:
    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    text: str


@dataclass(frozen=True, slots=True)
class ToolCallStart:
    index: int
    """Number of the call within the turn, from 0."""
    call_id: str
    name: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A part of the JSON text of a call's arguments."""

    index: int
    text: str


OutputDelta = ContentDelta | ReasoningDelta | ToolCallStart | ToolCallDelta

_ID_CHARACTERS = ascii_letters + digits
_ID_LENGTH = 9
"""Required by some templates."""


@dataclass(slots=True)
class _Call:
    """The call that is being read."""

    head: str
    """Its text before the arguments."""
    arguments: str = ""
    """Kept only until the name is known, which comes after them in some formats."""
    is_named: bool = False


@dataclass(frozen=True, slots=True)
class _CallPatterns:
    """A tool format as the parser searches for it."""

    triggers: tuple[str, ...]
    is_only_at_start: bool
    first: tuple[Pattern, ...]
    """The forms of the first call, up to its arguments, and including them if they are JSON."""
    after_arguments: Pattern
    later: Pattern | None
    """As one of `first`, for further calls."""
    end: Pattern

    @classmethod
    def from_format(cls, tool_format: ToolFormat) -> Self:
        def up_to_arguments(call: Pattern) -> Pattern:
            return call[: call.index(Placeholder.ARGUMENTS) + (tool_format.arguments is None)]

        first, later = tool_format.first_call, tool_format.later_call
        return cls(
            triggers=tuple(str(call[0]) for call in tool_format.first_calls),
            is_only_at_start=tool_format.is_only_at_start,
            first=tuple((Placeholder.SPACE, *up_to_arguments(call)) for call in tool_format.first_calls),
            after_arguments=first[first.index(Placeholder.ARGUMENTS) + 1 :],
            later=later and up_to_arguments(later),
            end=tool_format.end,
        )


class OutputParser:
    """Holds back only text that may still become a tag, and white space, which is dropped around reasoning and calls.

    Without a tool format it finds no calls, without reasoning tags no reasoning.
    """

    def __init__(
        self,
        tool_format: ToolFormat | None,
        reasoning_tags: ReasoningTags | None,
        content_tags: Sequence[ContentTags] = (),
        arguments: Mapping[str, Sequence[Arguments]] | None = None,
    ) -> None:
        """`content_tags` are left out of the content. `arguments` has, by name, what the schemas of the tools allow,
        if arguments are not one JSON object."""
        self._reasoning_tags = reasoning_tags
        self._content_tags = content_tags
        self._section_end = ""
        """What ends the section of content that is being read."""
        self._syntax = tool_format.arguments if tool_format else None
        self._schemas = arguments or {}
        self._format = None if tool_format is None else _CallPatterns.from_format(tool_format)
        self._text = ""
        """Not consumed yet."""
        self._is_final = False
        self._drops_space = False
        """Whether white space is dropped until something else is emitted."""
        self._deltas: list[OutputDelta] = []
        self._n_calls = 0
        self.ends_within_call = False
        """Whether the text ends before the arguments of its last call do."""
        self._arguments: ArgumentsReader = JsonReader()
        self._call = _Call("")
        self._state: Callable[[], bool] = self._start
        """Consumes text; returns False if it needs more text."""

    def feed(self, text: str) -> list[OutputDelta]:
        """Appends generated text and returns the deltas that it completes."""
        self._text += text
        while self._state():
            pass
        deltas, self._deltas = self._deltas, []
        return deltas

    def finish(self) -> list[OutputDelta]:
        """Returns the remaining deltas at the end of the text. An incomplete tag or first call is content; after a
        call it is dropped."""
        self._is_final = True
        return self.feed("")

    def _start(self) -> bool:
        if self._reasoning_tags is None:
            return self._set_state(self._start_answer)
        if self._reasoning_tags.is_open:
            self._drops_space = True
            return self._set_state(self._read_reasoning)
        match = match_pattern((Placeholder.SPACE, self._reasoning_tags.start), self._text)
        if self._needs_more_text(match):
            return False
        if isinstance(match, NoMatch):
            return self._set_state(self._start_answer)
        self._consume(match.end)
        self._drops_space = True
        return self._set_state(self._read_reasoning)

    def _read_reasoning(self) -> bool:
        assert self._reasoning_tags is not None
        reasoning, tag, answer = self._text.partition(self._reasoning_tags.end)
        if not tag and not self._is_final:
            reasoning = _without_partial_tag(self._reasoning_tags.end, reasoning)
        reasoning = reasoning.rstrip()
        self._consume(len(reasoning))
        self._emit(ReasoningDelta, reasoning)
        if not tag:
            return False
        self._text = answer
        self._drops_space = True
        return self._set_state(self._start_answer)

    def _start_answer(self) -> bool:
        for tags in self._content_tags:
            match = match_pattern((Placeholder.SPACE, tags.start.strip()), self._text)
            if self._needs_more_text(match):
                return False
            if isinstance(match, PatternMatch):
                self._consume(match.end)
                self._section_end = tags.end
                self._drops_space = True
                return self._set_state(self._read_text_until_call)
        self._section_end = ""
        if self._format is None or not self._format.is_only_at_start:
            return self._set_state(self._read_text_until_call)
        return self._read_call_start(otherwise=self._read_text)

    def _read_text(self) -> bool:
        self._emit(ContentDelta, self._consume(len(self._text)))
        return False

    def _read_text_until_call(self) -> bool:
        """Reads up to what begins a call, or ends a section of content."""
        is_tagged = self._format is not None and not self._format.is_only_at_start
        triggers = self._format.triggers if self._format and is_tagged else ()
        tags = [tag for tag in (*triggers, self._section_end.strip()) if tag]
        found = [(index, tag) for tag in tags if (index := self._text.find(tag)) >= 0]
        if not tags:
            return self._set_state(self._read_text)
        if not found:
            before = self._text
            if not self._is_final:
                before = min((_without_partial_tag(tag, before) for tag in tags), key=len).rstrip()
            self._emit(ContentDelta, self._consume(len(before)))
            return False
        index, tag = min(found)
        self._emit(ContentDelta, self._consume(len(self._text[:index].rstrip())))
        return self._set_state(self._end_section if tag == self._section_end.strip() else self._start_call)

    def _end_section(self) -> bool:
        """Reasoning, content or a call may follow."""
        end = self._section_end.strip()
        self._consume(self._text.index(end) + len(end))
        self._section_end = ""
        self._drops_space = True
        if self._reasoning_tags is not None:
            self._reasoning_tags = replace(self._reasoning_tags, is_open=False)
        return self._set_state(self._start)

    def _start_call(self) -> bool:
        return self._read_call_start(otherwise=self._emit_trigger)

    def _emit_trigger(self) -> bool:
        """For text that begins like a call but is none."""
        assert self._format is not None
        index, length = min(
            (index, len(trigger)) for trigger in self._format.triggers if (index := self._text.find(trigger)) >= 0
        )
        self._emit(ContentDelta, self._consume(index + length))
        return self._set_state(self._read_text_until_call)

    def _read_call_start(self, otherwise: Callable[[], bool]) -> bool:
        assert self._format is not None
        matches = [match_pattern(form, self._text) for form in self._format.first]
        for match in matches:
            if isinstance(match, PatternMatch):
                return self._open_call(match)
        if any(map(self._needs_more_text, matches)):
            return False
        return self._set_state(otherwise)

    def _open_call(self, match: PatternMatch) -> bool:
        self._call = _Call(self._consume(match.end))
        self._arguments = JsonReader()
        if self._syntax:
            self._arguments = SyntaxReader(self._syntax, self._schemas.get(match.values[Placeholder.NAME], ()))
        if Placeholder.NAME in match.values:
            self._emit_call_start(match)
        return self._set_state(self._read_arguments)

    def _emit_call_start(self, match: PatternMatch) -> None:
        self._call.is_named = True
        call_id = match.values.get(Placeholder.ID) or _new_id()
        self._deltas.append(ToolCallStart(self._n_calls, call_id, match.values[Placeholder.NAME]))
        self._n_calls += 1

    def _read_arguments(self) -> bool:
        reading = self._arguments.read(self._text)
        self._consume(reading.n_consumed)
        if not self._call.is_named:
            self._call.arguments += reading.json
        elif reading.json:
            self._deltas.append(ToolCallDelta(self._n_calls - 1, reading.json))
        if not reading.is_complete and not self._is_final:
            return False
        self.ends_within_call = not reading.is_complete and self._call.is_named
        return self._set_state(self._finish_call)

    def _finish_call(self) -> bool:
        assert self._format is not None
        match = match_pattern(self._format.after_arguments, self._text)
        if self._needs_more_text(match):
            return False
        self._drops_space = self._call.is_named
        if isinstance(match, PatternMatch):
            self._consume(match.end)
            self._drops_space = True
            self._emit_delayed_call(match)
        elif not self._call.is_named:
            self._emit(ContentDelta, self._call.head + self._call.arguments)
        elif match is NoMatch.PARTIAL:
            self._consume(len(self._text))
        return self._set_state(self._read_between_calls)

    def _emit_delayed_call(self, match: PatternMatch) -> None:
        """For formats with the name after the arguments."""
        if not self._call.is_named:
            self._emit_call_start(match)
            self._deltas.append(ToolCallDelta(self._n_calls - 1, self._call.arguments))

    def _read_between_calls(self) -> bool:
        assert self._format is not None
        later, end = self._format.later, self._format.end
        call = match_pattern(later, self._text) if later else NoMatch.NEVER
        if isinstance(call, PatternMatch):
            return self._open_call(call)
        closing = match_pattern(end, self._text) if end else NoMatch.NEVER
        if isinstance(closing, PatternMatch):
            self._consume(closing.end)
        elif self._needs_more_text(call) or self._needs_more_text(closing):
            return False
        elif NoMatch.PARTIAL in (call, closing):
            self._consume(len(self._text))
        return self._set_state(self._read_text_until_call)

    def _set_state(self, state: Callable[[], bool]) -> bool:
        self._state = state
        return True

    def _needs_more_text(self, match: PatternMatch | NoMatch) -> bool:
        return match is NoMatch.PARTIAL and not self._is_final

    def _consume(self, length: int) -> str:
        consumed, self._text = self._text[:length], self._text[length:]
        return consumed

    def _emit(self, kind: type[ContentDelta] | type[ReasoningDelta], text: str) -> None:
        if self._drops_space:
            text = text.lstrip()
        if text:
            self._drops_space = False
            self._deltas.append(kind(text))


def _without_partial_tag(tag: str, text: str) -> str:
    """Returns the text without a proper prefix of the tag at its end."""
    lengths = range(min(len(tag) - 1, len(text)), 0, -1)
    return text[: len(text) - next((length for length in lengths if text.endswith(tag[:length])), 0)]


def _new_id() -> str:
    return "".join(secrets.choice(_ID_CHARACTERS) for _ in range(_ID_LENGTH))
