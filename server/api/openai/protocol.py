"""OpenAI's protocol: the request bodies, and the parts that its responses share."""

import secrets
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, AliasChoices, BaseModel, Field, PlainValidator, WithJsonSchema

from server.chat.request import ChatFields
from server.chat.tools.output_parser import ContentDelta, OutputDelta, ReasoningDelta, ToolCallDelta, ToolCallStart
from server.generation.prompts import SCHEMA as PROMPT_SCHEMA
from server.generation.prompts import SHAPES as PROMPT_SHAPES
from server.http.event_stream import EventFormat
from server.http.fields import as_integer
from server.http.request_model import RequestBody
from server.options.generation_options import MAX_CHOICES, N_CHOICES, GenerationOptions
from server.settings import REASONING_FORMATS, ReasoningFormat
from slots.errors import InvalidRequest
from slots.requests.events import Finished, StopReason
from slots.requests.params import Boolean, Integer, Number, Takes, expected
from slots.requests.sampling_params import MAX_N_PROBS

MAX_NAME = 256
"""Characters of an adapter's name."""


def _check_name(name: str) -> str:
    if not 0 < len(name) <= MAX_NAME or not name.isprintable():
        raise expected(f"1 to {MAX_NAME} printable characters")
    return name


def _check_not_empty(text: str) -> str:
    if not text or "\0" in text:
        raise expected("the path of a file")
    return text


AdapterName = Annotated[str, Takes("a string"), AfterValidator(_check_name)]
NotEmpty = Annotated[str, Takes("a string"), AfterValidator(_check_not_empty)]
LOGPROBS = f"a number from 0 to {MAX_N_PROBS}"


@dataclass(frozen=True, slots=True)
class LogprobsOptions:
    """Which log probabilities a response reports."""

    enabled: bool
    n_top: int
    """Number of most likely tokens at each position, besides the sampled one."""

    @property
    def n_probs(self) -> int:
        """What to request from the engine, which reports the sampled token's only together with others."""
        return max(self.n_top, 1) if self.enabled else 0


class StreamOptions(BaseModel):
    include_usage: Boolean | None = None


class OpenAiOptions(GenerationOptions):
    """Options of completions and chats."""

    temperature: Number = Field(
        0.8,
        ge=0.0,
        le=2.0,
        description="temperature, at most 2, as at OpenAI; 0 = greedy, always the most likely token",
    )
    repeat_penalty: Number = Field(1.0, gt=0.0, description="penalty for repeated tokens; 1 = disabled")
    stream_options: Annotated[StreamOptions, Takes("an object with include_usage")] = Field(
        StreamOptions(), description="include_usage: end a stream with its usage"
    )

    @property
    def _own_n_probs(self) -> int:
        """What the body itself says; a flag's default is for llama.cpp's dialect."""
        return self.n_probs if "n_probs" in self.model_fields_set else 0


class ChatCompletionRequestBody(OpenAiOptions, ChatFields):
    """Body of /v1/chat/completions."""

    logprobs: Boolean | None = Field(None, description="return log probabilities; absent = if n_probs is given")
    top_logprobs: Annotated[Integer | None, Takes(LOGPROBS)] = Field(
        None, ge=0, le=MAX_N_PROBS, description="number of most likely tokens to return with each token"
    )
    reasoning_format: Annotated[ReasoningFormat | None, Takes(" or ".join(REASONING_FORMATS))] = Field(
        None,
        description="none = reasoning stays in the content, deepseek-legacy = there as well; absent = as the server "
        "was started",
    )

    def logprobs_options(self) -> LogprobsOptions:
        """Raises InvalidRequest for `top_logprobs` without `logprobs`."""
        n_probs = self._own_n_probs
        enabled = n_probs > 0 if self.logprobs is None else self.logprobs
        if self.top_logprobs and not enabled:
            raise InvalidRequest("top_logprobs", 'expected "logprobs": true with it')
        return LogprobsOptions(enabled, n_probs if self.top_logprobs is None else self.top_logprobs)


def _read_logprobs(value: object) -> int | bool:
    if value is False:
        return False
    count = as_integer("logprobs", value)
    if not 0 <= count <= MAX_N_PROBS:
        raise expected(LOGPROBS)
    return count


class OpenAiCompletionRequestBody(OpenAiOptions):
    """Body of /v1/completions."""

    prompt: Annotated[Any, Takes(PROMPT_SHAPES), WithJsonSchema(PROMPT_SCHEMA)] = Field(
        description="text to continue, or several of them"
    )
    suffix: str = Field("", description="text after the one to generate")
    n_predict: Annotated[Integer, Takes("-1 or more")] = Field(
        16,
        ge=-1,
        validation_alias=AliasChoices("n_predict", "max_completion_tokens", "max_tokens"),
        description="maximum number of tokens to generate; -1 = until the context is full",
    )
    best_of: Annotated[Integer | None, Takes(N_CHOICES)] = Field(
        None, ge=1, le=MAX_CHOICES, description="number of texts to generate, of which the n most likely are returned"
    )
    echo: Boolean = Field(False, description="begin the text with the prompt")
    logprobs: Annotated[
        int | bool | None,
        Takes(LOGPROBS),
        PlainValidator(_read_logprobs),
        WithJsonSchema({"type": ["integer", "boolean"]}),
    ] = Field(None, description="number of most likely tokens to return with each token")

    def logprobs_options(self) -> LogprobsOptions:
        if self.logprobs is False:
            return LogprobsOptions(enabled=False, n_top=0)
        if self.logprobs is None:
            return LogprobsOptions(self._own_n_probs > 0, self._own_n_probs)
        return LogprobsOptions(enabled=True, n_top=self.logprobs)


class LoadAdapterRequestBody(RequestBody):
    """Body of /v1/load_lora_adapter."""

    lora_name: AdapterName = Field(description="name by which requests choose the adapter as their model")
    lora_path: NotEmpty = Field(description="path of its GGUF file on the server's machine")


class UnloadAdapterRequestBody(RequestBody):
    """Body of /v1/unload_lora_adapter."""

    lora_name: AdapterName = Field(description="name of the adapter")


@dataclass(frozen=True, slots=True)
class ResponseBase:
    response_id: str
    created: int
    """Seconds since 1970."""
    model: str
    fingerprint: str
    """Identifies the model's file and the layout of its context. It begins with "b", as that of llama.cpp's builds."""

    @classmethod
    def new(cls, prefix: str, model: str, engine_fingerprint: str) -> Self:
        answer_id = f"{prefix}-{secrets.token_urlsafe(18)}"
        return cls(answer_id, int(time.time()), model, f"b{engine_fingerprint[:12]}")

    def wrap(self, kind: str, choices: list[dict[str, object]]) -> dict[str, object]:
        return {
            "id": self.response_id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": self.fingerprint,
            "choices": choices,
        }


def delta(piece: OutputDelta) -> dict[str, object]:
    """Returns the `delta` of a chunk."""
    match piece:
        case ContentDelta(text):
            return {"content": text}
        case ReasoningDelta(text):
            return {"reasoning_content": text}
        case ToolCallStart(index, call_id, name):
            function = {"name": name, "arguments": ""}
            return {"tool_calls": [{"index": index, "id": call_id, "type": "function", "function": function}]}
        case ToolCallDelta(index, text):
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
    def from_pieces(cls, pieces: Iterable[OutputDelta]) -> Self:
        message = cls()
        for piece in pieces:
            match piece:
                case ContentDelta(text):
                    message.content += text
                case ReasoningDelta(text):
                    message.reasoning += text
                case ToolCallStart(_, call_id, name):
                    message.calls.append(_Call(call_id, name))
                case ToolCallDelta(index, text):
                    message.calls[index].arguments += text
        return message

    def json(self) -> dict[str, object]:
        """Content is null only if there are tool calls."""
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


@dataclass(frozen=True, slots=True)
class Usage:
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    """Tokens of the prompt that were in the prefix cache."""

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cached_tokens + other.cached_tokens,
        )

    def json(self) -> dict[str, object]:
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": self.cached_tokens},
        }


def total_usage(choices: Sequence[Finished]) -> Usage:
    """Returns the usage of several choices for one prompt. They share the prompt: it counts once, and as cached only to
    the extent that the first of them found it."""
    return Usage(
        prompt_tokens=max(choice.n_prompt_tokens for choice in choices),
        completion_tokens=sum(choice.timings.predicted_n for choice in choices),
        cached_tokens=min(choice.timings.cached_n for choice in choices),
    )


FinishReason = Literal["stop", "length", "tool_calls"]


def finish_reason(finished: Finished, *, calls_tools: bool = False) -> FinishReason:
    """Returns the reason; "length" takes precedence."""
    if finished.reason is StopReason.LIMIT:
        return "length"
    return "tool_calls" if calls_tools else "stop"


EVENTS = EventFormat(end=b"data: [DONE]\n\n")
