"""Output: the items of a response while they arrive, and the events of a stream for them."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import orjson

from server.api.openai.responses.items import new_id, seal_thoughts
from server.api.openai.responses.tools import OfferedTool
from server.chat.messages import Json, as_object
from server.chat.tools.output_parser import ContentDelta, OutputDelta, ReasoningDelta, ToolCallDelta, ToolCallStart

Logprobs = list[dict[str, object]]


@dataclass(slots=True)
class Item(ABC):
    """An item of the output. Its events get the place of the item from Output."""

    kind: ClassVar[str]
    item_id: str = field(init=False)
    text: str = field(init=False, default="")
    """The text, the thoughts, or the JSON text of the arguments."""

    def __post_init__(self) -> None:
        self.item_id = new_id(self.kind)

    @abstractmethod
    def json(self, status: str) -> Json:
        """Returns the item as it is so far."""

    def opening(self) -> list[Json]:
        """Returns the events after the one that adds the item."""
        return []

    @abstractmethod
    def delta(self, text: str, logprobs: Logprobs) -> list[Json]:
        """Adds text, and returns the events for it."""

    @abstractmethod
    def closing(self) -> list[Json]:
        """Returns the events before the one that ends the item."""


@dataclass(slots=True)
class MessageItem(Item):
    kind: ClassVar[str] = "message"
    logprobs: Logprobs = field(init=False, default_factory=list)

    def json(self, status: str) -> Json:
        content = [] if status == "in_progress" else [self._part()]
        return {"id": self.item_id, "type": "message", "role": "assistant", "status": status, "content": content}

    def opening(self) -> list[Json]:
        return [{"type": "response.content_part.added", "content_index": 0, "part": self._part()}]

    def delta(self, text: str, logprobs: Logprobs) -> list[Json]:
        self.text += text
        self.logprobs += logprobs
        return [{"type": "response.output_text.delta", "content_index": 0, "delta": text, "logprobs": logprobs}]

    def closing(self) -> list[Json]:
        return [
            {
                "type": "response.output_text.done",
                "content_index": 0,
                "text": self.text,
                "logprobs": self.logprobs,
            },
            {"type": "response.content_part.done", "content_index": 0, "part": self._part()},
        ]

    def _part(self) -> Json:
        return {"type": "output_text", "text": self.text, "annotations": [], "logprobs": list(self.logprobs)}


@dataclass(slots=True)
class ReasoningItem(Item):
    """Thoughts, as the content of the item or, if the request asks for a summary, as that."""

    kind: ClassVar[str] = "reasoning"
    is_summary: bool
    is_sealed: bool
    """Whether `encrypted_content` holds them as well."""

    def json(self, status: str) -> Json:
        parts = [] if status == "in_progress" else [self._part()]
        shown: Json = {"summary": parts} if self.is_summary else {"summary": [], "content": parts}
        sealed = seal_thoughts(self.text) if self.is_sealed and parts else None
        return {"id": self.item_id, "type": "reasoning", "status": status, **shown, "encrypted_content": sealed}

    def opening(self) -> list[Json]:
        return [self._part_event("added")]

    def delta(self, text: str, logprobs: Logprobs) -> list[Json]:
        self.text += text
        return [self._text_event("delta", {"delta": text})]

    def closing(self) -> list[Json]:
        return [self._text_event("done", {"text": self.text}), self._part_event("done")]

    def _part(self) -> Json:
        return {"type": "summary_text" if self.is_summary else "reasoning_text", "text": self.text}

    def _part_event(self, what: str) -> Json:
        kind = "reasoning_summary_part" if self.is_summary else "content_part"
        return {"type": f"response.{kind}.{what}", **self._index(), "part": self._part()}

    def _text_event(self, what: str, text: Json) -> Json:
        kind = "reasoning_summary_text" if self.is_summary else "reasoning_text"
        return {"type": f"response.{kind}.{what}", **self._index(), **text}

    def _index(self) -> Json:
        return {"summary_index" if self.is_summary else "content_index": 0}


@dataclass(slots=True)
class CallItem(Item):
    """A call of a function."""

    kind: ClassVar[str] = "function_call"
    call_id: str
    name: str
    namespace: str

    def json(self, status: str) -> Json:
        return {
            "id": self.item_id,
            "type": self.kind,
            "status": status,
            "call_id": self.call_id,
            "name": self.name,
            **({"namespace": self.namespace} if self.namespace else {}),
            **self._given(),
        }

    def delta(self, text: str, logprobs: Logprobs) -> list[Json]:
        self.text += text
        return [{"type": "response.function_call_arguments.delta", "delta": text}]

    def closing(self) -> list[Json]:
        return [{"type": "response.function_call_arguments.done", "name": self.name, "arguments": self.text}]

    def _given(self) -> Json:
        return {"arguments": self.text}


@dataclass(slots=True)
class CustomCallItem(CallItem):
    """A call of a custom tool. Its input is known when the JSON around it is complete."""

    kind: ClassVar[str] = "custom_tool_call"

    def delta(self, text: str, logprobs: Logprobs) -> list[Json]:
        self.text += text
        return []

    def closing(self) -> list[Json]:
        given = self._input()
        return [
            {"type": "response.custom_tool_call_input.delta", "delta": given},
            {"type": "response.custom_tool_call_input.done", "input": given},
        ]

    def _given(self) -> Json:
        return {"input": self._input()}

    def _input(self) -> str:
        """Returns the text in the arguments, of which a call that was cut off holds the beginning."""
        given = as_object(self.text).get("input") if self.text.strip() else ""
        return given if isinstance(given, str) else orjson.dumps(given).decode()


@dataclass(slots=True)
class Output:
    offered: Mapping[str, OfferedTool]
    is_summary: bool = False
    is_sealed: bool = False
    """As in ReasoningItem."""
    items: list[Item] = field(init=False, default_factory=list)
    _done: list[Json] = field(init=False, default_factory=list)
    """The items that are complete."""

    def add(self, pieces: Iterable[OutputDelta], logprobs: Logprobs) -> list[Json]:
        """Adds pieces of the output, and returns the events for them. The log probabilities are those of the tokens up
        to here; what is no text drops them."""
        events: list[Json] = []
        for piece in pieces:
            match piece:
                case ContentDelta(text):
                    events += self._add_text(MessageItem, text, list(logprobs))
                case ReasoningDelta(text):
                    events += self._add_text(ReasoningItem, text, [])
                case ToolCallDelta(_, text):
                    events += self._place(self.items[-1].delta(text, []))
                case ToolCallStart(_, call_id, name):
                    events += self._open(self._call(call_id, name))
            logprobs.clear()
        return events

    def finish(self, *, is_cut: bool, ends_within_call: bool) -> list[Json]:
        """Returns the last events. `is_cut` says whether the end of the text is not the model's. There is an item even
        if there is no text, since many clients look into the first one without asking."""
        opening = [] if self.items else self._open(MessageItem())
        is_incomplete = ends_within_call if isinstance(self.items[-1], CallItem) else is_cut
        return [*opening, *self._close("incomplete" if is_incomplete else "completed")]

    def json(self) -> list[Json]:
        """Returns the items that are complete."""
        return list(self._done)

    @property
    def is_thinking(self) -> bool:
        """Whether the latest text is a thought."""
        return bool(self.items) and isinstance(self.items[-1], ReasoningItem)

    def _call(self, call_id: str, name: str) -> CallItem:
        tool = self.offered.get(name)
        if tool is None:
            return CallItem(call_id, name, "")
        return (CustomCallItem if tool.is_custom else CallItem)(call_id, tool.name, tool.namespace)

    def _add_text(self, kind: type[MessageItem | ReasoningItem], text: str, logprobs: Logprobs) -> list[Json]:
        opening: list[Json] = []
        if not self.items or type(self.items[-1]) is not kind:
            item = MessageItem() if kind is MessageItem else ReasoningItem(self.is_summary, self.is_sealed)
            opening = self._open(item)
        return [*opening, *self._place(self.items[-1].delta(text, logprobs))]

    def _open(self, item: Item) -> list[Json]:
        closing = self._close("completed")
        self.items.append(item)
        added: Json = {"type": "response.output_item.added", **self._index(), "item": item.json("in_progress")}
        return [*closing, added, *self._place(item.opening())]

    def _close(self, status: str) -> list[Json]:
        """Ends the last item, if it has not ended."""
        if len(self._done) == len(self.items):
            return []
        item = self.items[-1]
        events = self._place(item.closing())
        self._done.append(item.json(status))
        return [*events, {"type": "response.output_item.done", **self._index(), "item": self._done[-1]}]

    def _place(self, events: Iterable[Json]) -> list[Json]:
        """Returns events of the last item with its place."""
        return [
            {"type": event["type"], "item_id": self.items[-1].item_id, **self._index(), **event} for event in events
        ]

    def _index(self) -> Json:
        return {"output_index": len(self.items) - 1}
