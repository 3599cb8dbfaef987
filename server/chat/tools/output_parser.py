"""The text of a model's turn, taken apart as it is written."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from string import ascii_letters, digits
from typing import Self

from server.chat.tools.call_format import Pattern, Placeholder, ToolFormat
from server.chat.tools.matching import JsonScanner, NoMatch, PatternMatch, match_pattern
from server.chat.tools.reasoning import ReasoningTags


@dataclass(frozen=True, slots=True)
class ContentDelta:
    """Some more of what is said to the user."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """Some more of the thoughts."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCallStart:
    """A tool is called."""

    index: int
    """Counts the calls of the turn from 0."""
    call_id: str
    name: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """Some more of the JSON text of a call's arguments."""

    index: int
    text: str


OutputDelta = ContentDelta | ReasoningDelta | ToolCallStart | ToolCallDelta

_ID_CHARACTERS = ascii_letters + digits
_ID_LENGTH = 9
"""What some templates demand of ids."""


@dataclass(slots=True)
class _Call:
    """The call that is being read."""

    head: str
    """Its text up to the arguments."""
    arguments: str = ""
    """Only kept while the name is unknown, which in some formats comes behind them."""
    is_named: bool = False


@dataclass(frozen=True, slots=True)
class _CallPatterns:
    """What is looked for to find calls."""

    trigger: str
    is_only_at_start: bool
    first: Pattern
    """Up to the arguments, as `later`."""
    after_arguments: Pattern
    later: Pattern | None
    end: Pattern

    @classmethod
    def from_format(cls, tool_format: ToolFormat) -> Self:
        first, later = tool_format.first_call, tool_format.later_call
        length = first.index(Placeholder.ARGUMENTS) + 1
        return cls(
            trigger=str(first[0]),
            is_only_at_start=tool_format.is_only_at_start,
            first=(Placeholder.SPACE, *first[:length]),
            after_arguments=first[length:],
            later=later and later[: later.index(Placeholder.ARGUMENTS) + 1],
            end=tool_format.end,
        )


class OutputParser:
    """Tells thoughts, text and calls apart. It holds back no more than what may still become a tag, and white space,
    which is dropped around thoughts and calls."""

    def __init__(self, tool_format: ToolFormat | None, reasoning_tags: ReasoningTags | None) -> None:
        """Without a format no calls are looked for, without thinking no thoughts."""
        self._reasoning_tags = reasoning_tags
        self._format = None if tool_format is None else _CallPatterns.from_format(tool_format)
        self._text = ""
        """What was not taken apart yet."""
        self._is_final = False
        self._drops_space = False
        """Whether white space is dropped until something else is said."""
        self._deltas: list[OutputDelta] = []
        self._n_calls = 0
        self.ends_within_call = False
        """Whether the text is over before the arguments of its last call are."""
        self._json = JsonScanner()
        self._call = _Call("")
        self._state: Callable[[], bool] = self._start
        """Takes something off the text; false if there has to be more text first."""

    def feed(self, text: str) -> list[OutputDelta]:
        """Returns what `text`, which goes on where the last one ended, makes clear."""
        self._text += text
        while self._state():
            pass
        pieces, self._deltas = self._deltas, []
        return pieces

    def finish(self) -> list[OutputDelta]:
        """Returns the rest, now that nothing more comes. A tag, or the head of the first call, that is cut off is text;
        behind a call it is dropped."""
        self._is_final = True
        return self.feed("")

    def _start(self) -> bool:
        if self._reasoning_tags is None:
            return self._set_state(self._start_answer)
        if self._reasoning_tags.is_open:
            self._drops_space = True
            return self._set_state(self._read_reasoning)
        found = match_pattern((Placeholder.SPACE, self._reasoning_tags.start), self._text)
        if self._needs_more_text(found):
            return False
        if isinstance(found, NoMatch):
            return self._set_state(self._start_answer)
        self._consume(found.end)
        self._drops_space = True
        return self._set_state(self._read_reasoning)

    def _read_reasoning(self) -> bool:
        assert self._reasoning_tags is not None
        thoughts, tag, answer = self._text.partition(self._reasoning_tags.end)
        if not tag and not self._is_final:
            thoughts = _without_partial_tag(self._reasoning_tags.end, thoughts)
        thoughts = thoughts.rstrip()
        self._consume(len(thoughts))
        self._emit(ReasoningDelta, thoughts)
        if not tag:
            return False
        self._text = answer
        self._drops_space = True
        return self._set_state(self._start_answer)

    def _start_answer(self) -> bool:
        if self._format is None:
            return self._set_state(self._read_text)
        if not self._format.is_only_at_start:
            return self._set_state(self._read_text_until_call)
        return self._read_call_start(otherwise=self._read_text)

    def _read_text(self) -> bool:
        """Text to the end."""
        self._emit(ContentDelta, self._consume(len(self._text)))
        return False

    def _read_text_until_call(self) -> bool:
        """Text up to what calls begin with."""
        assert self._format is not None
        before, trigger, _ = self._text.partition(self._format.trigger)
        if trigger:
            before = before.rstrip()
        elif not self._is_final:
            before = _without_partial_tag(self._format.trigger, before).rstrip()
        self._emit(ContentDelta, self._consume(len(before)))
        return bool(trigger) and self._set_state(self._start_call)

    def _start_call(self) -> bool:
        return self._read_call_start(otherwise=self._emit_trigger)

    def _emit_trigger(self) -> bool:
        """Text that begins like a call and goes on otherwise."""
        assert self._format is not None
        trigger = self._format.trigger
        self._emit(ContentDelta, self._consume(self._text.index(trigger) + len(trigger)))
        return self._set_state(self._read_text_until_call)

    def _read_call_start(self, otherwise: Callable[[], bool]) -> bool:
        assert self._format is not None
        found = match_pattern(self._format.first, self._text)
        if self._needs_more_text(found):
            return False
        if isinstance(found, NoMatch):
            return self._set_state(otherwise)
        return self._open_call(found)

    def _open_call(self, found: PatternMatch) -> bool:
        self._json = JsonScanner()
        self._call = _Call(self._consume(found.end))
        if Placeholder.NAME in found.values:
            self._emit_call_start(found)
        return self._set_state(self._read_arguments)

    def _emit_call_start(self, found: PatternMatch) -> None:
        self._call.is_named = True
        call_id = found.values.get(Placeholder.ID) or _new_id()
        self._deltas.append(ToolCallStart(self._n_calls, call_id, found.values[Placeholder.NAME]))
        self._n_calls += 1

    def _read_arguments(self) -> bool:
        length = self._json.find_end(self._text)
        text = self._consume(len(self._text) if length is None else length)
        if not self._call.is_named:
            self._call.arguments += text
        elif text:
            self._deltas.append(ToolCallDelta(self._n_calls - 1, text))
        if length is None and not self._is_final:
            return False
        self.ends_within_call = length is None and self._call.is_named
        return self._set_state(self._finish_call)

    def _finish_call(self) -> bool:
        """What comes behind the arguments."""
        assert self._format is not None
        found = match_pattern(self._format.after_arguments, self._text)
        if self._needs_more_text(found):
            return False
        self._drops_space = self._call.is_named
        if isinstance(found, PatternMatch):
            self._consume(found.end)
            self._drops_space = True
            self._emit_delayed_call(found)
        elif not self._call.is_named:
            self._emit(ContentDelta, self._call.head + self._call.arguments)
        elif found is NoMatch.PARTIAL:
            self._consume(len(self._text))
        return self._set_state(self._read_between_calls)

    def _emit_delayed_call(self, found: PatternMatch) -> None:
        if not self._call.is_named:
            self._emit_call_start(found)
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
        return self._set_state(self._read_text if self._format.is_only_at_start else self._read_text_until_call)

    def _set_state(self, state: Callable[[], bool]) -> bool:
        self._state = state
        return True

    def _needs_more_text(self, found: PatternMatch | NoMatch) -> bool:
        return found is NoMatch.PARTIAL and not self._is_final

    def _consume(self, length: int) -> str:
        taken, self._text = self._text[:length], self._text[length:]
        return taken

    def _emit(self, kind: type[ContentDelta] | type[ReasoningDelta], text: str) -> None:
        if self._drops_space:
            text = text.lstrip()
        if text:
            self._drops_space = False
            self._deltas.append(kind(text))


def _without_partial_tag(tag: str, text: str) -> str:
    """The text without what may be the beginning of a tag at its end."""
    lengths = range(min(len(tag) - 1, len(text)), 0, -1)
    return text[: len(text) - next((length for length in lengths if text.endswith(tag[:length])), 0)]


def _new_id() -> str:
    return "".join(secrets.choice(_ID_CHARACTERS) for _ in range(_ID_LENGTH))
