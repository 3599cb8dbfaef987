"""OllamaFormatter: answers in Ollama's format, as lines of a stream or as one body."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import ClassVar

from server.chat.messages import arguments_json
from server.chat.tools.output_parser import (
    ContentDelta,
    OutputDelta,
    OutputParser,
    ReasoningDelta,
    ToolCallDelta,
    ToolCallStart,
)
from server.generation.completion_output import CompletionOutput, progress_json
from server.generation.endpoint import FinishedOutput
from server.generation.logprobs import logprob_json, token_text
from server.http.event_stream import JSON_LINES, EventFormat
from slots.llama import Vocab
from slots.requests.events import Finished, PositionLogprobs, Progress, StopReason, Token, TokenLogprob

Json = dict[str, object]


@dataclass(slots=True)
class Part:
    """A part of an answer, or the whole of it."""

    content: str = ""
    thinking: str = ""
    calls: list[Json] = field(default_factory=list)

    def message_json(self) -> Json:
        """Returns the members of a line of /api/chat."""
        message: Json = {"role": "assistant", "content": self.content}
        if self.thinking:
            message["thinking"] = self.thinking
        if self.calls:
            message["tool_calls"] = self.calls
        return {"message": message}

    def text_json(self) -> Json:
        """Returns the members of a line of /api/generate."""
        return {"response": self.content, **({"thinking": self.thinking} if self.thinking else {})}


PartJson = Callable[[Part], Json]


def answer_json(model: str, members: Json, *, done: bool) -> Json:
    """Returns a line of a stream, or the whole of an answer."""
    now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return {"model": model, "created_at": now, **members, "done": done}


class _Parts:
    """Makes parts of what a parser finds. A call is a part of its own, once its arguments are complete."""

    def __init__(self) -> None:
        self._call: ToolCallStart | None = None
        self._arguments = ""

    def add(self, deltas: Iterable[OutputDelta]) -> Iterator[Part]:
        for delta in deltas:
            if isinstance(delta, ToolCallDelta):
                self._arguments += delta.text
                continue
            yield from self.finish()
            match delta:
                case ContentDelta(text):
                    yield Part(content=text)
                case ReasoningDelta(text):
                    yield Part(thinking=text)
                case ToolCallStart():
                    self._call = delta

    def finish(self) -> Iterator[Part]:
        """Yields the call that was being read, if there is one."""
        if self._call is not None:
            function = {
                "index": self._call.index,
                "name": self._call.name,
                "arguments": arguments_json(self._arguments),
            }
            yield Part(calls=[{"id": self._call.call_id, "function": function}])
        self._call, self._arguments = None, ""


class OllamaFormatter:
    """Formats the answer to one request."""

    event_format: ClassVar[EventFormat] = JSON_LINES

    def __init__(
        self,
        model: str,
        parser: OutputParser,
        part_json: PartJson,
        vocab: Vocab,
        n_top: int | None,
        *,
        returns_context: bool = False,
    ) -> None:
        """`n_top` is the number of likely tokens to report with each one, None for no log probabilities."""
        self._model = model
        self._parser = parser
        self._part_json = part_json
        self._vocab = vocab
        self._n_top = n_top
        self._returns_context = returns_context
        self._started = time.perf_counter()
        self._parts = _Parts()
        self._tokens: list[int] = []
        """The generated ones of a stream, if the context is returned."""

    def token_events(self, _: CompletionOutput, token: Token) -> list[object]:
        """Returns the lines for a token: none while its text may be part of a tag or of a call."""
        if self._returns_context:
            self._tokens.append(token.token)
        lines = [self._line(part) for part in self._parts.add(self._parser.feed(token.text))]
        if token.logprobs is not None and self._n_top is not None:
            lines = lines or [self._line(Part())]
            lines[0] |= self._logprobs([token.logprobs])
        return list(lines)

    def progress_events(self, _: CompletionOutput, progress: Progress) -> list[object]:
        """Returns the line for a place in the queue, or for the progress of the prompt, without text."""
        return [self._line(Part()) | progress_json(progress)]

    def finish_events(self, output: CompletionOutput, finished: Finished) -> list[object]:
        """Returns the lines with what was held back, and the one that says how the answer ended."""
        rest = [*self._parts.add(self._parser.finish()), *self._parts.finish()]
        return [*map(self._line, rest), self._ending(Part(), output, finished, self._tokens)]

    def final_events(self, _: Sequence[FinishedOutput]) -> list[object]:
        return []

    def body(self, outputs: Sequence[FinishedOutput]) -> object:
        [(output, finished)] = outputs
        deltas = [*self._parser.feed(output.content), *self._parser.finish()]
        whole = Part()
        for part in (*self._parts.add(deltas), *self._parts.finish()):
            whole.content += part.content
            whole.thinking += part.thinking
            whole.calls += part.calls
        return self._ending(whole, output, finished, output.tokens) | self._logprobs(output.logprobs)

    def _line(self, part: Part) -> Json:
        return answer_json(self._model, self._part_json(part), done=False)

    def _ending(self, part: Part, output: CompletionOutput, finished: Finished, tokens: Sequence[int]) -> Json:
        timings = finished.timings
        context: Json = {"context": [*output.request.prompt, *tokens]} if self._returns_context else {}
        return {
            **answer_json(self._model, self._part_json(part), done=True),
            "done_reason": "length" if finished.reason is StopReason.LIMIT else "stop",
            **context,
            "total_duration": _nanoseconds(1000 * (time.perf_counter() - self._started)),
            "load_duration": 0,
            "prompt_eval_count": finished.n_prompt_tokens,
            "prompt_eval_duration": _nanoseconds(timings.prompt_ms),
            "eval_count": timings.predicted_n,
            "eval_duration": _nanoseconds(timings.predicted_ms),
        }

    def _logprobs(self, positions: Sequence[PositionLogprobs]) -> Json:
        if self._n_top is None:
            return {}
        return {"logprobs": [self._position_json(position, self._n_top) for position in positions]}

    def _position_json(self, position: PositionLogprobs, n_top: int) -> Json:
        top = [self._token_json(each) for each in position.top[:n_top]]
        return self._token_json(position.sampled) | ({"top_logprobs": top} if top else {})

    def _token_json(self, probability: TokenLogprob) -> Json:
        text, data = token_text(probability.token, self._vocab), self._vocab.piece(probability.token)
        return {"token": text, "logprob": logprob_json(probability), "bytes": list(data)}


def _nanoseconds(milliseconds: float) -> int:
    return round(1_000_000 * milliseconds)
