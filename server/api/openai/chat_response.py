"""ChatFormatter: responses to chats in OpenAI's format, streamed or as one body."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from server.api.openai.logprobs import chat_logprobs_json
from server.api.openai.protocol import (
    EVENTS,
    ChatCompletionRequestBody,
    ChatMessage,
    FinishReason,
    LogprobsOptions,
    ResponseBase,
    delta,
    finish_reason,
    total_usage,
)
from server.api.openai.reasoning_in_content import ReasoningInContent
from server.chat.tools.output_parser import OutputDelta, OutputParser, ToolCallStart
from server.generation.cache_miss import work_json
from server.generation.chat import ChatGeneration
from server.generation.completion_output import CompletionOutput, progress_json, timings_json
from server.generation.endpoint import FinishedOutput
from server.generation.result import ResultContext, verbose_json
from server.http.event_stream import EventFormat
from server.settings import ReasoningFormat
from slots.requests.events import Finished, PositionLogprobs, Progress, Timings, Token

COMPLETION_OBJECT = "chat.completion"
CHUNK_OBJECT = "chat.completion.chunk"


Parser = OutputParser | ReasoningInContent


@dataclass(slots=True)
class _Choice:
    """The state of one choice of a stream."""

    parser: Parser
    calls_tools: bool = False
    pending_logprobs: list[PositionLogprobs] = field(default_factory=list)
    """Those of tokens whose text the parser holds back."""


class ChatFormatter:
    """Formats the response to one chat."""

    event_format: ClassVar[EventFormat] = EVENTS

    def __init__(
        self,
        context: ResultContext,
        response_base: ResponseBase,
        generation: ChatGeneration,
        logprobs: LogprobsOptions,
        body: ChatCompletionRequestBody,
        *,
        reasoning_format: ReasoningFormat,
    ) -> None:
        self._context = context
        self._response_base = response_base
        self._generation = generation
        self._logprobs_options = logprobs
        self._keeps_tags = reasoning_format == "deepseek-legacy"
        self._include_usage = bool(body.stream_options.include_usage)
        self._choices: dict[int, _Choice] = {}

    def token_events(self, output: CompletionOutput, token: Token) -> list[object]:
        """Returns the chunks for a token: none while its text may be part of a tag."""
        choice, events = self._get_or_start(output.index)
        if token.logprobs is not None:
            choice.pending_logprobs.append(token.logprobs)
        events += self._piece_events(output.index, choice, choice.parser.feed(token.text), token.timings)
        return events

    def progress_events(self, output: CompletionOutput, progress: Progress) -> list[object]:
        """Returns the chunk for a place in the queue, or for the progress of the prompt, without text."""
        _, events = self._get_or_start(output.index)
        return [*events, {**self._chunk(output.index, {}), **progress_json(progress)}]

    def finish_events(self, output: CompletionOutput, finished: Finished) -> list[object]:
        """Returns the chunks with the text that was held back, and the one that says why a choice ended."""
        choice, events = self._get_or_start(output.index)
        del self._choices[output.index]
        events += self._piece_events(output.index, choice, choice.parser.finish(), None)
        reason = _reason(finished, choice.parser, calls_tools=choice.calls_tools)
        last = self._chunk(output.index, {}, choice.pending_logprobs, reason, finished.timings)
        events.append({**last, **verbose_json(output, finished, self._context)})
        return events

    def final_events(self, outputs: Sequence[FinishedOutput]) -> list[object]:
        """Returns the chunk with the usage and the timings, if it was requested."""
        if not self._include_usage:
            return []
        work = work_json(*outputs[0], self._context.vocab)
        return [{**self._response_base.wrap(CHUNK_OBJECT, []), "usage": self._usage(outputs), **work}]

    def body(self, outputs: Sequence[FinishedOutput]) -> object:
        choices = [self._full_choice(output, finished) for output, finished in outputs]
        return {
            **self._response_base.wrap(COMPLETION_OBJECT, choices),
            "usage": self._usage(outputs),
            **work_json(*outputs[0], self._context.vocab),
            **verbose_json(*outputs[0], self._context),
        }

    def _get_or_start(self, index: int) -> tuple[_Choice, list[object]]:
        """Returns the choice, and the chunk that begins it if it has none yet."""
        if index in self._choices:
            return self._choices[index], []
        choice = self._choices[index] = _Choice(self._parser())
        return choice, [self._chunk(index, {"role": "assistant", "content": None})]

    def _piece_events(
        self, index: int, choice: _Choice, pieces: Sequence[OutputDelta], timings: Timings | None
    ) -> list[object]:
        events: list[object] = []
        for piece in pieces:
            choice.calls_tools = choice.calls_tools or isinstance(piece, ToolCallStart)
            events.append(self._chunk(index, delta(piece), choice.pending_logprobs, None, timings))
            choice.pending_logprobs = []
        return events

    def _chunk(
        self,
        index: int,
        message: dict[str, object],
        positions: Sequence[PositionLogprobs] = (),
        reason: str | None = None,
        timings: Timings | None = None,
    ) -> dict[str, object]:
        choice = {"index": index, "delta": message, "logprobs": self._logprobs(positions), "finish_reason": reason}
        chunk = self._response_base.wrap(CHUNK_OBJECT, [choice])
        return {**chunk, "timings": timings_json(timings)} if timings else chunk

    def _full_choice(self, output: CompletionOutput, finished: Finished) -> dict[str, object]:
        parser = self._parser()
        message = ChatMessage.from_pieces([*parser.feed(output.content), *parser.finish()])
        return {
            "index": output.index,
            "message": message.json(),
            "logprobs": self._logprobs(output.logprobs),
            "finish_reason": _reason(finished, parser, calls_tools=bool(message.calls)),
        }

    def _parser(self) -> Parser:
        parser, tags = self._generation.parser(), self._generation.reasoning_tags
        return ReasoningInContent(parser, tags) if self._keeps_tags and tags else parser

    def _logprobs(self, positions: Sequence[PositionLogprobs]) -> dict[str, object] | None:
        options = self._logprobs_options
        return (
            chat_logprobs_json(positions, options.n_top, self._context.vocab) if options.enabled and positions else None
        )

    def _usage(self, outputs: Sequence[FinishedOutput]) -> dict[str, object]:
        return total_usage([finished for _, finished in outputs]).json()


def _reason(finished: Finished, parser: Parser, *, calls_tools: bool) -> FinishReason:
    """A call that a stop string truncates does not count."""
    return finish_reason(finished, calls_tools=calls_tools and not parser.ends_within_call)
