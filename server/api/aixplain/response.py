"""ExecutionFormatter: responses to executions in aiXplain's format, streamed or as one body."""

import json
import time
from collections.abc import Iterator, Sequence
from typing import ClassVar

from server.api.openai.protocol import ChatMessage, delta, finish_reason, total_usage
from server.chat.tools.output_parser import ContentDelta, OutputDelta, OutputParser, ToolCallStart
from server.generation.chat import ChatGeneration
from server.generation.completion_output import CompletionOutput, progress_json
from server.generation.endpoint import FinishedOutput
from server.generation.logprobs import probabilities_json
from server.http.event_stream import EventFormat
from slots.llama import Vocab
from slots.requests.events import Finished, Progress, Token

DONE = "[DONE]"
"""The last event, and the only one that is no object. A stream that fails has none."""


def encode_event(event: object) -> bytes:
    """Returns an event for the SDK, which takes a stream apart by Python's line ends, one of which is U+2028, may
    decode it as Latin-1, and removes `data: ` wherever that stands."""
    if event == DONE:
        return DONE.encode()
    return json.dumps(event, separators=(",", ":")).replace("data: ", "data:\\u0020").encode("ascii")


# The SDK takes a comment for a piece of text; an empty line is an empty piece.
EVENTS = EventFormat(encode=encode_event, ping=b"\n")


class ExecutionFormatter:
    """Formats the response to one execution."""

    event_format: ClassVar[EventFormat] = EVENTS

    def __init__(self, vocab: Vocab, generation: ChatGeneration, *, after_sampling: bool) -> None:
        self._vocab = vocab
        self._generation = generation
        self._after_sampling = after_sampling
        self._started = time.monotonic()
        self._parser = generation.parser()
        self._calls_tools = False

    def token_events(self, _: CompletionOutput, token: Token) -> list[object]:
        """Returns the events for a token: none while its text may be part of a tag."""
        return self._piece_events(self._parser.feed(token.text))

    def progress_events(self, _: CompletionOutput, progress: Progress) -> list[object]:
        """Returns the event for a place in the queue, or for the progress of the prompt, without text."""
        return [{**_event("", {}), **progress_json(progress)}]

    def finish_events(self, _: CompletionOutput, finished: Finished) -> list[object]:
        """Returns the events with the text that was held back, and the one that says how the text ended."""
        events = self._piece_events(self._parser.finish())
        reason = finish_reason(finished, calls_tools=self._calls_tools and not self._parser.ends_within_call)
        return [*events, {**_event("", {}, reason), **self._ending([finished])}]

    def final_events(self, _: Sequence[FinishedOutput]) -> list[object]:
        return [DONE]

    def body(self, outputs: Sequence[FinishedOutput]) -> object:
        details = [self._detail(output, finished) for output, finished in outputs]
        text = self._message(outputs[0][0])[0].content
        return {**self._ending([finished for _, finished in outputs]), "data": text, "details": details}

    def _piece_events(self, pieces: Sequence[OutputDelta]) -> list[object]:
        self._calls_tools = self._calls_tools or any(isinstance(piece, ToolCallStart) for piece in pieces)
        events: list[object] = []
        for piece in pieces:
            match piece:
                case ContentDelta(text):
                    events += [_event(part, delta(ContentDelta(part))) for part in _parts(text)]
                case _:
                    events.append(_event("", delta(piece)))
        return events

    def _ending(self, endings: Sequence[Finished]) -> dict[str, object]:
        return {
            "status": "SUCCESS",
            "completed": True,
            "usedCredits": 0,
            "runTime": round(time.monotonic() - self._started, 3),
            "usage": total_usage(endings).json(),
        }

    def _detail(self, output: CompletionOutput, finished: Finished) -> dict[str, object]:
        message, parser = self._message(output)
        logprobs = None
        if output.logprobs:
            logprobs = {
                "content": probabilities_json(output.logprobs, self._vocab, after_sampling=self._after_sampling)
            }
        calls_tools = bool(message.calls) and not parser.ends_within_call
        return {
            "index": output.index,
            "message": message.json(),
            "logprobs": logprobs,
            "finish_reason": finish_reason(finished, calls_tools=calls_tools),
        }

    def _message(self, output: CompletionOutput) -> tuple[ChatMessage, OutputParser]:
        parser = self._generation.parser()
        return ChatMessage.from_pieces([*parser.feed(output.content), *parser.finish()]), parser


def _event(text: str, message: dict[str, object], reason: str | None = None) -> dict[str, object]:
    """Returns an event for both versions of the SDK: the first reads `data`, the second the choice, as OpenAI's."""
    return {"data": text, "choices": [{"index": 0, "delta": message, "finish_reason": reason}]}


def _parts(text: str) -> Iterator[str]:
    """Yields a text, in two parts if it is what the SDK takes for the end of the stream."""
    if text == DONE:
        yield text[:-1]
        text = text[-1]
    yield text
