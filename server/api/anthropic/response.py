"""MessageFormatter: answers in Anthropic's format, streamed or as one body."""

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from server.chat.messages import arguments_json
from server.chat.tools.output_parser import (
    ContentDelta,
    OutputDelta,
    ReasoningDelta,
    ToolCallDelta,
    ToolCallStart,
)
from server.generation.chat import ChatGeneration
from server.generation.completion_output import CompletionOutput, progress_json
from server.generation.endpoint import FinishedOutput
from server.http.event_stream import EventFormat
from slots.requests.events import Finished, Progress, PromptProgress, StopReason, Token

BlockType = Literal["text", "thinking", "tool_use"]
Json = dict[str, object]

EVENTS = EventFormat(is_named=True, ping=b'event: ping\ndata: {"type":"ping"}\n\n')


@dataclass(slots=True)
class Block:
    """A block of the content of an answer."""

    type: BlockType
    text: str = ""
    """The text, the thoughts, or the JSON text of the arguments."""
    call_id: str = ""
    name: str = ""

    def start_json(self) -> Json:
        """Returns the block as a stream begins it, without its text."""
        match self.type:
            case "text":
                return {"type": "text", "text": ""}
            case "thinking":
                return {"type": "thinking", "thinking": "", "signature": ""}
            case "tool_use":
                return {"type": "tool_use", "id": self.call_id, "name": self.name, "input": {}}

    def json(self) -> Json:
        match self.type:
            case "text":
                return {"type": "text", "text": self.text}
            case "thinking":
                return {"type": "thinking", "thinking": self.text, "signature": self.signature}
            case "tool_use":
                return {"type": "tool_use", "id": self.call_id, "name": self.name, "input": arguments_json(self.text)}

    @property
    def signature(self) -> str:
        """A digest of the thoughts. Nothing checks it, but clients do not send thoughts back without a signature."""
        return hashlib.blake2b(self.text.encode(errors="surrogatepass"), digest_size=32).hexdigest()


def _delta(block_type: BlockType, text: str) -> Json:
    """Returns the `delta` of more of a block's text."""
    match block_type:
        case "text":
            return {"type": "text_delta", "text": text}
        case "thinking":
            return {"type": "thinking_delta", "thinking": text}
        case "tool_use":
            return {"type": "input_json_delta", "partial_json": text}


@dataclass(slots=True)
class Content:
    """The blocks of an answer, as they arrive."""

    blocks: list[Block] = field(default_factory=list)

    def add(self, pieces: Iterable[OutputDelta]) -> list[object]:
        """Adds pieces of the output, and returns the events of a stream for them."""
        events: list[object] = []
        for piece in pieces:
            match piece:
                case ContentDelta(text):
                    events += self._add_text("text", text)
                case ReasoningDelta(text):
                    events += self._add_text("thinking", text)
                case ToolCallDelta(_, text):
                    events += self._add_text("tool_use", text)
                case ToolCallStart(_, call_id, name):
                    events += self._open(Block("tool_use", call_id=call_id, name=name))
        return events

    def finish(self) -> list[object]:
        """Returns the last events. An answer has a block even if it has no text, since many clients look into the first
        one without asking."""
        opening = [] if self.blocks else self._open(Block("text"))
        return [*opening, *self._close()]

    @property
    def calls_tools(self) -> bool:
        return any(block.type == "tool_use" for block in self.blocks)

    def _add_text(self, block_type: BlockType, text: str) -> list[object]:
        opening: list[object] = []
        if not self.blocks or self.blocks[-1].type != block_type:
            opening = self._open(Block(block_type))
        self.blocks[-1].text += text
        return [*opening, self._event("content_block_delta", delta=_delta(block_type, text))]

    def _open(self, block: Block) -> list[object]:
        closing = self._close()
        self.blocks.append(block)
        return [*closing, self._event("content_block_start", content_block=block.start_json())]

    def _close(self) -> list[object]:
        if not self.blocks:
            return []
        events: list[object] = []
        if self.blocks[-1].type == "thinking":
            signature = {"type": "signature_delta", "signature": self.blocks[-1].signature}
            events.append(self._event("content_block_delta", delta=signature))
        return [*events, self._event("content_block_stop")]

    def _event(self, kind: str, **members: object) -> Json:
        """Returns an event of the last block."""
        return {"type": kind, "index": len(self.blocks) - 1, **members}


class MessageFormatter:
    """Formats the answer to one chat."""

    event_format: ClassVar[EventFormat] = EVENTS

    def __init__(self, model: str, generation: ChatGeneration, stop: Sequence[str]) -> None:
        """`stop` are the strings of the request that end the answer."""
        self._message_id = f"msg_{secrets.token_hex(12)}"
        self._model = model
        self._stop = stop
        self._parser = generation.parser()
        self._content = Content()
        self._has_started = False

    def token_events(self, output: CompletionOutput, token: Token) -> list[object]:
        """Returns the events for a token: none but the first one while its text may be part of a tag."""
        n_cached = token.timings.cached_n if token.timings else 0
        return [*self._start(output.n_prompt_tokens, n_cached), *self._content.add(self._parser.feed(token.text))]

    def progress_events(self, output: CompletionOutput, progress: Progress) -> list[object]:
        """Returns the event for a place in the queue, or for the progress of the prompt, after the one that begins the
        message. Clients ignore types of events that they do not know."""
        n_cached = progress.cached if isinstance(progress, PromptProgress) else 0
        members = progress_json(progress)
        return [*self._start(output.n_prompt_tokens, n_cached), {"type": next(iter(members)), **members}]

    def finish_events(self, output: CompletionOutput, finished: Finished) -> list[object]:
        """Returns the events with the text that was held back, and those that end the answer."""
        started = self._start(output.n_prompt_tokens, finished.timings.cached_n)
        rest = [*self._content.add(self._parser.finish()), *self._content.finish()]
        change = {"type": "message_delta", "delta": self._ending(output, finished), "usage": _finished_usage(finished)}
        return [*started, *rest, change, {"type": "message_stop"}]

    def final_events(self, _: Sequence[FinishedOutput]) -> list[object]:
        return []

    def body(self, outputs: Sequence[FinishedOutput]) -> object:
        [(output, finished)] = outputs
        self._content.add([*self._parser.feed(output.content), *self._parser.finish()])
        self._content.finish()
        content = [block.json() for block in self._content.blocks]
        return self._message(content, self._ending(output, finished), _finished_usage(finished))

    def _start(self, n_prompt_tokens: int, n_cached: int) -> list[object]:
        if self._has_started:
            return []
        self._has_started = True
        ending: Json = {"stop_reason": None, "stop_sequence": None}
        usage = _usage(n_prompt_tokens, n_cached, 0)
        return [{"type": "message_start", "message": self._message([], ending, usage)}]

    def _message(self, content: list[Json], ending: Json, usage: Json) -> Json:
        return {
            "id": self._message_id,
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": content,
            **ending,
            "usage": usage,
        }

    def _ending(self, output: CompletionOutput, finished: Finished) -> Json:
        """Returns why the answer ended. A string that ends a turn in the model's template is no stop sequence, and a
        call that was cut off is not one to carry out."""
        if finished.reason is StopReason.WORD and finished.stopping_word in self._stop:
            return {"stop_reason": "stop_sequence", "stop_sequence": finished.stopping_word}
        calls_tools = self._content.calls_tools and not self._parser.ends_within_call
        reason = "tool_use" if calls_tools else "end_turn"
        if finished.reason is StopReason.LIMIT:
            is_full = finished.truncated and finished.timings.predicted_n < output.request.n_predict
            reason = "model_context_window_exceeded" if is_full else "max_tokens"
        return {"stop_reason": reason, "stop_sequence": None}


def _finished_usage(finished: Finished) -> Json:
    timings = finished.timings
    return _usage(finished.n_prompt_tokens, timings.cached_n, timings.predicted_n)


def _usage(n_prompt: int, n_cached: int, n_output: int) -> Json:
    """What the cache held does not count as input. All else gets into the cache, without being asked for."""
    return {
        "input_tokens": n_prompt - n_cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": n_cached,
        "output_tokens": n_output,
    }
