"""ResponseFormatter: answers as responses, streamed or as one body."""

import secrets
import time
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import ClassVar

from server.api.openai.errors import OpenAiError, openai_error
from server.api.openai.logprobs import token_logprobs_json
from server.api.openai.responses.output import Logprobs, Output
from server.api.openai.responses.protocol import SEALED, ResponsesRequestBody
from server.chat.messages import Json
from server.generation.chat import ChatGeneration
from server.generation.completion_output import CompletionOutput, progress_json, timings_json
from server.generation.endpoint import FinishedOutput
from server.generation.result import ResultContext, verbose_json
from server.http.event_stream import EventFormat
from slots.requests.events import Finished, PositionLogprobs, Progress, QueuePlace, StopReason, Timings, Token

ERROR_CODES = ("rate_limit_exceeded", "context_length_exceeded")
"""What clients look for in a response that failed; all else is a `server_error`."""

Save = Callable[[Json, Sequence[Json]], None]
"""Remembers a response that has ended, with the items of its output."""


class MidwayError(OpenAiError):
    """An error that is, after the beginning of a stream, a response that failed."""

    def __init__(self, error: OpenAiError, fail: Callable[[OpenAiError], Json]) -> None:
        """`fail` returns the event for the error."""
        super().__init__(error, error.status, error.code)
        self._fail = fail

    def event(self) -> Json:
        return self._fail(self)


class ResponseFormatter:
    """Formats the response to one request."""

    event_format: ClassVar[EventFormat] = EventFormat(is_named=True)

    def __init__(
        self, context: ResultContext, request: ResponsesRequestBody, generation: ChatGeneration, save: Save | None
    ) -> None:
        """Without `save` the response is not remembered."""
        self._context = context
        self._request = request
        self._save = save
        self._id = f"resp_{secrets.token_hex(24)}"
        self._created = int(time.time())
        self._generation = generation
        self._parser = generation.parser()
        self._output = Output(request.tools.offered, request.reasoning.summary is not None, SEALED in request.include)
        self._logprobs = request.logprobs_options()
        self._pending: Logprobs = []
        """Log probabilities of tokens whose text the parser holds back."""
        self._n_events = 0
        self._n_tokens = 0
        self._n_thoughts = 0
        """Tokens of the thoughts and their tags."""

    def token_events(self, output: CompletionOutput, token: Token) -> list[object]:
        """Returns the events for a token: none but the first ones while its text may be part of a tag."""
        started = self._start()
        events = self._add(token.text, token.logprobs)
        if events and token.timings:
            events[-1]["timings"] = timings_json(token.timings)
        return [*started, *self._number(events)]

    def progress_events(self, output: CompletionOutput, progress: Progress) -> list[object]:
        """Returns the event for a place in the queue, or for the progress of the prompt as llama.cpp's server has
        it."""
        status = "queued" if isinstance(progress, QueuePlace) else "in_progress"
        event = {"type": f"response.{status}", "response": self._response(status), **progress_json(progress)}
        return [*self._start(), *self._number([event])]

    def finish_events(self, output: CompletionOutput, finished: Finished) -> list[object]:
        """Returns the events with the text that was held back, and the one that ends the stream."""
        started = self._start()
        rest = self._finish(finished)
        response = self._end(finished)
        # llama.cpp's clients, who ask for timings, know one way for a stream to end.
        is_whole = response["status"] == "completed" or self._request.timings_per_token
        kind = "response.completed" if is_whole else "response.incomplete"
        extra = self._extra(output, finished)
        return [*started, *self._number([*rest, {"type": kind, "response": response, **extra}])]

    def final_events(self, _: Sequence[FinishedOutput]) -> list[object]:
        return []

    def body(self, outputs: Sequence[FinishedOutput]) -> object:
        [(output, finished)] = outputs
        for text, position in self._replay(output):
            self._add(text, position)
        self._finish(finished)
        return {**self._end(finished), **self._extra(output, finished)}

    def error_format(self, error: Exception) -> OpenAiError:
        return MidwayError(openai_error(error), self._failure)

    def _failure(self, error: OpenAiError) -> Json:
        """Returns the event that ends a stream which fails midway."""
        code = error.code if error.code in ERROR_CODES else "server_error"
        failed = self._response("failed", self._output.json(), error={"code": code, "message": str(error)})
        [event] = self._number([{"type": "response.failed", "response": failed}])
        return event

    def _start(self) -> list[Json]:
        """Returns the events that begin a stream, if it has not begun."""
        if self._n_events:
            return []
        kinds = ("created", "in_progress")
        return self._number({"type": f"response.{kind}", "response": self._response("in_progress")} for kind in kinds)

    def _number(self, events: Iterable[Json]) -> list[Json]:
        numbered = []
        for event in events:
            numbered.append({"type": event["type"], "sequence_number": self._n_events, **event})
            self._n_events += 1
        return numbered

    def _add(self, text: str, position: PositionLogprobs | None) -> list[Json]:
        if position is not None and self._logprobs.enabled:
            self._pending += token_logprobs_json([position], self._logprobs.n_top, self._context.vocab)
        events = self._output.add(self._parser.feed(text), self._pending)
        self._n_tokens += 1
        if self._output.is_thinking:
            self._n_thoughts = self._n_tokens
        return events

    def _finish(self, finished: Finished) -> list[Json]:
        rest = self._output.add(self._parser.finish(), self._pending)
        is_cut = finished.reason is StopReason.LIMIT
        return [*rest, *self._output.finish(is_cut=is_cut, ends_within_call=self._parser.ends_within_call)]

    def _replay(self, output: CompletionOutput) -> Iterator[tuple[str, PositionLogprobs | None]]:
        """Yields the text of each token with its log probabilities, or the whole text if tokens make no difference."""
        if self._generation.reasoning_tags is None and not self._logprobs.enabled:
            yield output.content, None
            return
        start, decoder = 0, getincrementaldecoder("utf-8")("replace")
        for token, position in zip_longest(output.tokens, output.logprobs):
            end = start + len(decoder.decode(self._context.vocab.output_bytes(token)))
            yield output.content[start:end], position
            start = end
        yield output.content[start:], None

    def _end(self, finished: Finished) -> Json:
        """Returns the whole response, after remembering it."""
        is_cut = finished.reason is StopReason.LIMIT
        output = self._output.json()
        response = self._response(
            "incomplete" if is_cut else "completed",
            output,
            completed_at=None if is_cut else int(time.time()),
            incomplete_details={"reason": "max_output_tokens"} if is_cut else None,
            usage=self._usage(finished.n_prompt_tokens, finished.timings),
        )
        if self._save is not None:
            self._save(response, output)
        return response

    def _usage(self, n_prompt: int, timings: Timings) -> Json:
        return {
            "input_tokens": n_prompt,
            "input_tokens_details": {"cached_tokens": timings.cached_n, "cache_write_tokens": 0},
            "output_tokens": timings.predicted_n,
            "output_tokens_details": {"reasoning_tokens": self._n_thoughts},
            "total_tokens": n_prompt + timings.predicted_n,
        }

    def _extra(self, output: CompletionOutput, finished: Finished) -> Json:
        """Returns what llama.cpp's server adds to a response."""
        return {"timings": timings_json(finished.timings), **verbose_json(output, finished, self._context)}

    def _response(self, status: str, output: Sequence[Json] = (), **changes: object) -> Json:
        request = self._request
        return {
            "id": self._id,
            "object": "response",
            "created_at": self._created,
            "status": status,
            "completed_at": None,
            "error": None,
            "incomplete_details": None,
            "model": self._context.model,
            "output": list(output),
            "usage": None,
            "instructions": request.instructions or None,
            "previous_response_id": request.previous_response_id,
            "tools": request.tools.given,
            "tool_choice": request.tool_choice.given,
            "parallel_tool_calls": request.parallel_tool_calls,
            "max_tool_calls": request.max_tool_calls,
            "text": {"format": request.text.format, "verbosity": request.text.verbosity},
            "reasoning": {"effort": request.reasoning.effort, "summary": request.reasoning.summary},
            "temperature": request.temperature,
            "top_p": request.top_p,
            "top_logprobs": self._logprobs.n_top,
            "max_output_tokens": request.n_predict if request.n_predict >= 0 else None,
            "truncation": request.truncation,
            "store": self._save is not None,
            "background": False,
            "service_tier": "default",
            "metadata": request.metadata,
            "user": request.user,
            "safety_identifier": request.safety_identifier,
            "prompt_cache_key": request.prompt_cache_key,
            **changes,
        }
