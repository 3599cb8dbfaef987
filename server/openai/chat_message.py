"""An assistant's message, from the pieces of the text that the model wrote."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from server.chat.tools.output_parser import CallArguments, CallStart, Content, Piece, Reasoning


def delta(piece: Piece) -> dict[str, object]:
    """Returns what a chunk adds to the message."""
    match piece:
        case Content(text):
            return {"content": text}
        case Reasoning(text):
            return {"reasoning_content": text}
        case CallStart(index, call_id, name):
            function = {"name": name, "arguments": ""}
            return {"tool_calls": [{"index": index, "id": call_id, "type": "function", "function": function}]}
        case CallArguments(index, text):
            return {"tool_calls": [{"index": index, "function": {"arguments": text}}]}


@dataclass(slots=True)
class _Call:
    call_id: str
    name: str
    arguments: str = ""


@dataclass(slots=True)
class ChatMessage:
    content: str = ""
    reasoning: str = ""
    calls: list[_Call] = field(default_factory=list)

    @classmethod
    def of(cls, pieces: Iterable[Piece]) -> Self:
        """Returns the message that the pieces are of."""
        message = cls()
        for piece in pieces:
            match piece:
                case Content(text):
                    message.content += text
                case Reasoning(text):
                    message.reasoning += text
                case CallStart(_, call_id, name):
                    message.calls.append(_Call(call_id, name))
                case CallArguments(index, text):
                    message.calls[index].arguments += text
        return message

    def json(self) -> dict[str, object]:
        """Returns it as OpenAI spells it. Content is null only beside calls."""
        message: dict[str, object] = {"role": "assistant", "content": self.content}
        if self.calls:
            message["content"] = self.content or None
            message["tool_calls"] = [
                {"id": call.call_id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
                for call in self.calls
            ]
        if self.reasoning:
            message["reasoning_content"] = self.reasoning
        return {**message, "refusal": None}
