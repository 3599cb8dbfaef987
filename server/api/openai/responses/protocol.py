"""The protocol of responses: the request bodies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import orjson
from pydantic import AliasChoices, Field, PlainValidator, WithJsonSchema, field_validator

from grammar.source import GrammarSource
from server.api.openai.protocol import LogprobsOptions, OpenAiOptions, StreamOptions
from server.api.openai.responses.items import INPUT, check_depth, read_input
from server.api.openai.responses.tools import (
    CHOICES,
    TOOLS,
    ToolChoice,
    Tools,
    make_tool_request,
    read_tool_choice,
    read_tools,
)
from server.chat.messages import Json, Message
from server.chat.request import Chat, TemplateKwargs
from server.chat.tools.request import MAX_TOOLS
from server.http.errors import ApiError
from server.http.fields import as_string, as_strings, invalid_value, preview
from server.http.request_model import RequestBody
from server.options.constraint import ANY_OBJECT, Constraint
from server.options.lora import MODEL, ModelName
from slots.requests.params import Boolean, Integer, Takes
from slots.requests.sampling_params import MAX_N_PROBS

FORMATS = '{"type": "text"}, {"type": "json_object"} or {"type": "json_schema", "name": ..., "schema": ...}'
TEXT = "an object with format and verbosity"
VERBOSITIES = ("low", "medium", "high")
REASONING = "an object with effort and summary"
EFFORTS: dict[str, str] = {
    "none": "none",
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
    "max": "high",
}
"""What chat templates call them."""
SUMMARIES = ("auto", "concise", "detailed")
LOGPROBS = "message.output_text.logprobs"
SEALED = "reasoning.encrypted_content"
INCLUDABLE = (
    *(LOGPROBS, SEALED, "file_search_call.results", "web_search_call.results", "web_search_call.action.sources"),
    *("message.input_image.image_url", "computer_call_output.output.image_url", "code_interpreter_call.outputs"),
)
METADATA = "an object of at most 16 strings of at most 512 characters, with names of at most 64"

_OBJECT: Json = {"type": "object"}
_STRING: Json = {"type": "string"}


@dataclass(frozen=True, slots=True)
class TextConfig:
    """What an answer's text has to be."""

    format: Json
    source: GrammarSource | None = None
    verbosity: str = "medium"


@dataclass(frozen=True, slots=True)
class Reasoning:
    effort: str | None = None
    summary: str | None = None


def _read_text(value: object) -> TextConfig:
    if not isinstance(value, dict):
        raise invalid_value("text", TEXT, value)
    verbosity = value.get("verbosity")
    if verbosity is not None and verbosity not in VERBOSITIES:
        raise invalid_value("text.verbosity", f"one of {', '.join(VERBOSITIES)}", verbosity)
    check_depth("text", value)
    given = value.get("format") or {"type": "text"}
    return TextConfig(given, _read_format(given), verbosity or "medium")


def _read_format(value: object) -> GrammarSource | None:
    match value:
        case {"type": "text"}:
            return None
        case {"type": "json_object"}:
            return ANY_OBJECT
        case {"type": "json_schema", **members}:
            schema = members.get("schema")
            if not isinstance(schema, dict):
                raise invalid_value("text.format.schema", "a JSON schema, which is an object", schema)
            return GrammarSource("json_schema", orjson.dumps(schema).decode())
    raise invalid_value("text.format", FORMATS, value)


def _read_reasoning(value: object) -> Reasoning:
    if not isinstance(value, dict):
        raise invalid_value("reasoning", REASONING, value)
    effort = value.get("effort")
    if effort is not None and (not isinstance(effort, str) or effort not in EFFORTS):
        raise invalid_value("reasoning.effort", f"one of {', '.join(EFFORTS)}", effort)
    member = "generate_summary" if value.get("summary") is None else "summary"
    summary = value.get(member)
    if summary is not None and summary not in (*SUMMARIES, "none"):
        raise invalid_value(f"reasoning.{member}", f"one of {', '.join(SUMMARIES)}", summary)
    return Reasoning(effort, None if summary == "none" else summary)


def _read_include(value: object) -> tuple[str, ...]:
    names = as_strings("include", value)
    for index, name in enumerate(names):
        if name not in INCLUDABLE:
            raise invalid_value(f"include[{index}]", f"one of {', '.join(INCLUDABLE)}", name)
    return names


def _read_metadata(value: object) -> Json:
    if not isinstance(value, dict) or len(value) > 16:
        raise invalid_value("metadata", METADATA, value)
    for key, text in value.items():
        if len(key) > 64 or len(as_string(f"metadata.{key[:64]}", text)) > 512:
            raise invalid_value("metadata", METADATA, {key: text})
    return value


def _refuse(reason: str, neutral: object = None) -> PlainValidator:
    """Returns the validator of a field that is not supported. It raises ApiError (501) for other values than
    `neutral`."""

    def validate(value: object) -> object:
        if value != neutral:
            raise ApiError(501, f"{reason}, got {preview(value)}")
        return value

    return PlainValidator(validate)


class ResponseStreamOptions(StreamOptions):
    include_obfuscation: Boolean | None = None


class ResponseInputFields(RequestBody):
    """What makes up a prompt. Body of /v1/responses/input_tokens."""

    model: ModelName = Field(None, description=MODEL)
    input: Annotated[
        tuple[Json, ...],
        Takes(INPUT),
        PlainValidator(read_input),
        WithJsonSchema({"type": ["string", "array"], "items": _OBJECT}),
    ] = Field(description="what the user says, or the items of a conversation")
    instructions: str = Field("", description="system prompt; without one, the server's applies")
    previous_response_id: str | None = Field(
        None, description="id of a stored response, whose conversation goes on with `input`"
    )
    tools: Annotated[
        Tools,
        Takes(TOOLS),
        PlainValidator(read_tools),
        WithJsonSchema({"type": "array", "maxItems": MAX_TOOLS, "items": _OBJECT}),
    ] = Field([], validate_default=True, description="functions and custom tools that the model may call")
    tool_choice: Annotated[
        ToolChoice, Takes(CHOICES), PlainValidator(read_tool_choice), WithJsonSchema({"type": ["string", "object"]})
    ] = Field(
        "auto",
        validate_default=True,
        description="whether tools may, must or must not be called, or the tools that may be",
    )
    parallel_tool_calls: Boolean = Field(False, description="allow several calls in one turn")
    reasoning: Annotated[Reasoning, Takes(REASONING), PlainValidator(_read_reasoning), WithJsonSchema(_OBJECT)] = Field(
        {},
        validate_default=True,
        description="effort of the model's thoughts, and whether they are returned as a summary",
    )
    text: Annotated[TextConfig, Takes(TEXT), PlainValidator(_read_text), WithJsonSchema(_OBJECT)] = Field(
        {"format": {"type": "text"}},
        validate_default=True,
        description="format that the text has to match: text, json_object or json_schema",
    )
    truncation: Annotated[Literal["auto", "disabled"], Takes("auto or disabled")] = Field(
        "disabled", description="accepted, without effect: a prompt that does not fit is an error"
    )
    conversation: Annotated[
        Any, Takes("nothing"), _refuse("conversation: expected previous_response_id instead"), WithJsonSchema(_OBJECT)
    ] = Field(None, description="not supported")
    chat_template_kwargs: TemplateKwargs = Field({}, description="further variables of the chat template")

    @field_validator("truncation", mode="before")
    @classmethod
    def _check_truncation(cls, value: object) -> object:
        if value not in ("auto", "disabled"):
            raise invalid_value("truncation", "auto or disabled", value)
        return value

    def chat(self, messages: Sequence[Message], defaults: Mapping[str, object]) -> Chat:
        """Returns the chat with the messages of the whole conversation; `defaults` are variables of the template,
        unless the request sets them. Raises InvalidRequest for tools that do not fit together."""
        variables: dict[str, object] = {}
        if self.reasoning.effort is not None:
            effort = EFFORTS[self.reasoning.effort]
            variables = {"enable_thinking": False} if effort == "none" else {"reasoning_effort": effort}
        return Chat(
            messages=tuple(messages),
            tools=make_tool_request(self.tools, self.tool_choice, parallel=self.parallel_tool_calls),
            documents=(),
            add_generation_prompt=True,
            template_kwargs={**defaults, **variables, **self.chat_template_kwargs},
        )


class ResponsesRequestBody(OpenAiOptions, ResponseInputFields):
    """Body of /v1/responses."""

    n_predict: Annotated[Integer, Takes("-1 or more")] = Field(
        -1,
        ge=-1,
        validation_alias=AliasChoices("max_output_tokens", "n_predict", "max_completion_tokens", "max_tokens"),
        description="maximum number of tokens to generate, thoughts included; -1 = until the context is full",
    )
    n: Annotated[Integer, Takes("1")] = Field(1, ge=1, le=1, description="number of answers to generate")
    store: Boolean = Field(True, description="remember the response, for `previous_response_id` and GET")
    include: Annotated[
        tuple[str, ...],
        Takes("a list of what OpenAI's service may include"),
        PlainValidator(_read_include),
        WithJsonSchema({"type": "array", "items": {"enum": list(INCLUDABLE)}}),
    ] = Field((), description="what to return besides: log probabilities, or thoughts in a form to be sent back")
    top_logprobs: Annotated[Integer | None, Takes(f"a number from 0 to {MAX_N_PROBS}")] = Field(
        None, ge=0, le=MAX_N_PROBS, description="number of most likely tokens to return with each token"
    )
    stream_options: Annotated[ResponseStreamOptions, Takes("an object with include_obfuscation")] = Field(
        ResponseStreamOptions(), description="accepted, without effect"
    )
    metadata: Annotated[Json, Takes(METADATA), PlainValidator(_read_metadata), WithJsonSchema(_OBJECT)] = Field(
        {}, description="returned as it is"
    )
    max_tool_calls: Annotated[Integer | None, Takes("1 or more")] = Field(
        None, ge=1, description="accepted, without effect: it limits tools of OpenAI's own"
    )
    service_tier: str = Field("auto", description="accepted, without effect")
    user: str | None = Field(None, description="accepted, without effect, as are the next three")
    safety_identifier: str | None = Field(None, description="see `user`")
    prompt_cache_key: str | None = Field(None, description="see `user`; all requests share the prefix cache")
    prompt_cache_retention: str | None = Field(None, description="see `user`")
    background: Annotated[
        Any,
        Takes("false"),
        _refuse("background: expected false or nothing", neutral=False),
        WithJsonSchema({"const": False}),
    ] = Field(False, description="not supported")
    prompt: Annotated[
        Any, Takes("nothing"), _refuse("prompt: expected instructions and input instead"), WithJsonSchema(_OBJECT)
    ] = Field(None, description="not supported: templates of prompts that OpenAI stores")

    @property
    def constraint(self) -> Constraint | None:
        """What the text has to match: the format of `text`, else what other options say."""
        if self.text.source is None:
            return super().constraint
        return Constraint("text.format.schema", self.text.source)

    def logprobs_options(self) -> LogprobsOptions:
        n_top = self.top_logprobs or 0
        return LogprobsOptions(n_top > 0 or LOGPROBS in self.include, n_top)
