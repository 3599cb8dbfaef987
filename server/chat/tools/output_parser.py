"""The text of a model's turn, taken apart as it is written."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from string import ascii_letters, digits
from typing import Self

from server.chat.tools.call_format import Mark, Pieces, ToolFormat
from server.chat.tools.matching import JsonEnd, PieceMatch, Unmatched, match_pieces
from server.chat.tools.reasoning import Thinking


@dataclass(frozen=True, slots=True)
class Content:
    """Some more of what is said to the user."""

    text: str


@dataclass(frozen=True, slots=True)
class Reasoning:
    """Some more of the thoughts."""

    text: str


@dataclass(frozen=True, slots=True)
class CallStart:
    """A tool is called."""

    index: int
    """Counts the calls of the turn from 0."""
    call_id: str
    name: str


@dataclass(frozen=True, slots=True)
class CallArguments:
    """Some more of the JSON text of a call's arguments."""

    index: int
    text: str


Piece = Content | Reasoning | CallStart | CallArguments

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
class _Patterns:
    """What is looked for to find calls."""

    trigger: str
    is_only_at_start: bool
    first: Pieces
    """Up to the arguments, as `later`."""
    behind: Pieces
    later: Pieces | None
    end: Pieces

    @classmethod
    def of(cls, tool_format: ToolFormat) -> Self:
        first, later = tool_format.first, tool_format.later
        length = first.index(Mark.ARGUMENTS) + 1
        return cls(
            trigger=str(first[0]),
            is_only_at_start=tool_format.is_only_at_start,
            first=(Mark.SPACE, *first[:length]),
            behind=first[length:],
            later=later and later[: later.index(Mark.ARGUMENTS) + 1],
            end=tool_format.end,
        )


class TurnParser:
    """Tells thoughts, text and calls apart. It holds back no more than what may still become a tag, and white space,
    which is dropped around thoughts and calls."""

    def __init__(self, tool_format: ToolFormat | None, thinking: Thinking | None) -> None:
        """Without a format no calls are looked for, without thinking no thoughts."""
        self._thinking = thinking
        self._format = None if tool_format is None else _Patterns.of(tool_format)
        self._text = ""
        """What was not taken apart yet."""
        self._is_final = False
        self._drops_space = False
        """Whether white space is dropped until something else is said."""
        self._pieces: list[Piece] = []
        self._n_calls = 0
        self.ends_within_call = False
        """Whether the text is over before the arguments of its last call are."""
        self._json = JsonEnd()
        self._call = _Call("")
        self._step: Callable[[], bool] = self._begin
        """Takes something off the text; false if there has to be more text first."""

    def feed(self, text: str) -> list[Piece]:
        """Returns what `text`, which goes on where the last one ended, makes clear."""
        self._text += text
        while self._step():
            pass
        pieces, self._pieces = self._pieces, []
        return pieces

    def finish(self) -> list[Piece]:
        """Returns the rest, now that nothing more comes. A tag, or the head of the first call, that is cut off is text;
        behind a call it is dropped."""
        self._is_final = True
        return self.feed("")

    def _begin(self) -> bool:
        if self._thinking is None:
            return self._go_to(self._begin_answer)
        if self._thinking.is_open:
            self._drops_space = True
            return self._go_to(self._think)
        found = match_pieces((Mark.SPACE, self._thinking.start), self._text)
        if self._has_to_wait(found):
            return False
        if isinstance(found, Unmatched):
            return self._go_to(self._begin_answer)
        self._take(found.end)
        self._drops_space = True
        return self._go_to(self._think)

    def _think(self) -> bool:
        assert self._thinking is not None
        thoughts, tag, answer = self._text.partition(self._thinking.end)
        if not tag and not self._is_final:
            thoughts = _without_beginning(self._thinking.end, thoughts)
        thoughts = thoughts.rstrip()
        self._take(len(thoughts))
        self._say(Reasoning, thoughts)
        if not tag:
            return False
        self._text = answer
        self._drops_space = True
        return self._go_to(self._begin_answer)

    def _begin_answer(self) -> bool:
        if self._format is None:
            return self._go_to(self._talk)
        if not self._format.is_only_at_start:
            return self._go_to(self._talk_or_call)
        return self._read_head(otherwise=self._talk)

    def _talk(self) -> bool:
        """Text to the end."""
        self._say(Content, self._take(len(self._text)))
        return False

    def _talk_or_call(self) -> bool:
        """Text up to what calls begin with."""
        assert self._format is not None
        before, trigger, _ = self._text.partition(self._format.trigger)
        if trigger:
            before = before.rstrip()
        elif not self._is_final:
            before = _without_beginning(self._format.trigger, before).rstrip()
        self._say(Content, self._take(len(before)))
        return bool(trigger) and self._go_to(self._begin_call)

    def _begin_call(self) -> bool:
        return self._read_head(otherwise=self._pass_trigger)

    def _pass_trigger(self) -> bool:
        """Text that begins like a call and goes on otherwise."""
        assert self._format is not None
        trigger = self._format.trigger
        self._say(Content, self._take(self._text.index(trigger) + len(trigger)))
        return self._go_to(self._talk_or_call)

    def _read_head(self, otherwise: Callable[[], bool]) -> bool:
        assert self._format is not None
        found = match_pieces(self._format.first, self._text)
        if self._has_to_wait(found):
            return False
        if isinstance(found, Unmatched):
            return self._go_to(otherwise)
        return self._open_call(found)

    def _open_call(self, found: PieceMatch) -> bool:
        self._json = JsonEnd()
        self._call = _Call(self._take(found.end))
        if Mark.NAME in found.words:
            self._name_call(found)
        return self._go_to(self._read_arguments)

    def _name_call(self, found: PieceMatch) -> None:
        self._call.is_named = True
        call_id = found.words.get(Mark.ID) or _new_id()
        self._pieces.append(CallStart(self._n_calls, call_id, found.words[Mark.NAME]))
        self._n_calls += 1

    def _read_arguments(self) -> bool:
        length = self._json.find(self._text)
        text = self._take(len(self._text) if length is None else length)
        if not self._call.is_named:
            self._call.arguments += text
        elif text:
            self._pieces.append(CallArguments(self._n_calls - 1, text))
        if length is None and not self._is_final:
            return False
        self.ends_within_call = length is None and self._call.is_named
        return self._go_to(self._close_call)

    def _close_call(self) -> bool:
        """What comes behind the arguments."""
        assert self._format is not None
        found = match_pieces(self._format.behind, self._text)
        if self._has_to_wait(found):
            return False
        self._drops_space = self._call.is_named
        if isinstance(found, PieceMatch):
            self._take(found.end)
            self._drops_space = True
            self._name_late(found)
        elif not self._call.is_named:
            self._say(Content, self._call.head + self._call.arguments)
        elif found is Unmatched.YET:
            self._take(len(self._text))
        return self._go_to(self._between_calls)

    def _name_late(self, found: PieceMatch) -> None:
        if not self._call.is_named:
            self._name_call(found)
            self._pieces.append(CallArguments(self._n_calls - 1, self._call.arguments))

    def _between_calls(self) -> bool:
        assert self._format is not None
        later, end = self._format.later, self._format.end
        call = match_pieces(later, self._text) if later else Unmatched.NEVER
        if isinstance(call, PieceMatch):
            return self._open_call(call)
        closing = match_pieces(end, self._text) if end else Unmatched.NEVER
        if isinstance(closing, PieceMatch):
            self._take(closing.end)
        elif self._has_to_wait(call) or self._has_to_wait(closing):
            return False
        elif Unmatched.YET in (call, closing):
            self._take(len(self._text))
        return self._go_to(self._talk if self._format.is_only_at_start else self._talk_or_call)

    def _go_to(self, step: Callable[[], bool]) -> bool:
        self._step = step
        return True

    def _has_to_wait(self, found: PieceMatch | Unmatched) -> bool:
        return found is Unmatched.YET and not self._is_final

    def _take(self, length: int) -> str:
        taken, self._text = self._text[:length], self._text[length:]
        return taken

    def _say(self, kind: type[Content] | type[Reasoning], text: str) -> None:
        if self._drops_space:
            text = text.lstrip()
        if text:
            self._drops_space = False
            self._pieces.append(kind(text))


def _without_beginning(tag: str, text: str) -> str:
    """The text without what may be the beginning of a tag at its end."""
    lengths = range(min(len(tag) - 1, len(text)), 0, -1)
    return text[: len(text) - next((length for length in lengths if text.endswith(tag[:length])), 0)]


def _new_id() -> str:
    return "".join(secrets.choice(_ID_CHARACTERS) for _ in range(_ID_LENGTH))
