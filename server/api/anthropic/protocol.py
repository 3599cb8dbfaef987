"""Anthropic's protocol: the request bodies."""

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple, Self

import orjson
from pydantic import AliasChoices, Field, PlainValidator, WithJsonSchema

from grammar.source import GrammarSource
from server.api.anthropic.content import ROLES, read_system, read_turns
from server.api.anthropic.tools import CHOICES, TOOLS, ToolChoice, make_tool_request, read_tool_choice, read_tools
from server.chat.messages import MAX_MESSAGES, MESSAGES, Json, Message
from server.chat.request import Chat
from server.chat.tools.request import MAX_TOOLS
from server.http.fields import as_integer, invalid_value
from server.http.request_model import RequestBody
from server.options.constraint import Constraint
from server.options.generation_options import GenerationOptions
from server.options.lora import MODEL, ModelName
from slots.requests.completion_params import StopStrings
from slots.requests.params import Integer, Number, Takes

THINKING = '{"type": "enabled", "budget_tokens": ...}, {"type": "adaptive"} or {"type": "disabled"}'
THINKING_TYPES = {"enabled": True, "adaptive": True, "between_tools": True, "disabled": False}
"""By type: whether the model is to think."""
OUTPUT_CONFIG = 'an object with effort, and format: {"type": "json_schema", "schema": ...}'
EFFORTS = {"low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}
"""What chat templates call them."""

_OBJECT: Json = {"type": "object"}
_BLOCKS_SCHEMA: Json = {"type": ["string", "array"], "items": _OBJECT}
_MESSAGES_SCHEMA: Json = {
    "type": "array",
    "minItems": 1,
    "maxItems": MAX_MESSAGES,
    "items": {
        "type": "object",
        "properties": {"role": {"enum": list(ROLES)}, "content": _BLOCKS_SCHEMA},
        "required": ["role", "content"],
    },
}
_TOOLS_SCHEMA: Json = {
    "type": "array",
    "maxItems": MAX_TOOLS,
    "items": {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "description": {"type": "string"},
            "input_schema": _OBJECT,
            "strict": {"type": "boolean"},
        },
        "required": ["name", "input_schema"],
    },
}


class Thinking(NamedTuple):
    is_enabled: bool
    budget_tokens: int | None
    """After how many tokens the thoughts are ended; None leaves them to other options."""


def _read_thinking(value: object) -> Thinking:
    if not isinstance(value, dict):
        raise invalid_value("thinking", THINKING, value)
    kind = value.get("type")
    if not isinstance(kind, str) or kind not in THINKING_TYPES:
        raise invalid_value("thinking.type", f"one of {', '.join(THINKING_TYPES)}", kind)
    budget = value.get("budget_tokens")
    if budget is not None:
        budget = as_integer("thinking.budget_tokens", budget)
        if budget < 0:
            raise invalid_value("thinking.budget_tokens", "a number of tokens", budget)
    return Thinking(THINKING_TYPES[kind], budget)


def _read_output_config(value: object) -> Json:
    """Returns the object, with a format that is a JSON schema and an effort that templates know, if it has them."""
    if not isinstance(value, dict):
        raise invalid_value("output_config", OUTPUT_CONFIG, value)
    config: Json = {}
    effort, output = value.get("effort"), value.get("format")
    if effort is not None:
        if not isinstance(effort, str) or effort not in EFFORTS:
            raise invalid_value("output_config.effort", f"one of {', '.join(EFFORTS)}", effort)
        config["effort"] = EFFORTS[effort]
    if output is not None:
        is_schema = isinstance(output, dict) and output.get("type") == "json_schema"
        if not is_schema or not isinstance(output.get("schema"), dict):
            raise invalid_value("output_config.format", '{"type": "json_schema", "schema": ...}', output)
        config["schema"] = output["schema"]
    return config


class MessageFields(RequestBody):
    """What makes up a prompt. Body of /v1/messages/count_tokens."""

    model: ModelName = Field(None, description=MODEL)
    messages: Annotated[
        list[Message], Takes(MESSAGES), PlainValidator(read_turns), WithJsonSchema(_MESSAGES_SCHEMA)
    ] = Field(description="the conversation so far")
    system: Annotated[
        str, Takes("a string or a list of text blocks"), PlainValidator(read_system), WithJsonSchema(_BLOCKS_SCHEMA)
    ] = Field("", description="system prompt; without one, the server's applies")
    tools: Annotated[tuple[Json, ...], Takes(TOOLS), PlainValidator(read_tools), WithJsonSchema(_TOOLS_SCHEMA)] = Field(
        (), description="functions that the model may call: name, description, input_schema"
    )
    tool_choice: Annotated[
        ToolChoice | None, Takes(CHOICES), PlainValidator(read_tool_choice), WithJsonSchema(_OBJECT)
    ] = Field(None, description="whether tools may, must or must not be called, or the tool to call")
    thinking: Annotated[Thinking | None, Takes(THINKING), PlainValidator(_read_thinking), WithJsonSchema(_OBJECT)] = (
        Field(
            None,
            description="whether the model is to think before it answers, and with how many tokens at most; absent = "
            "as its template has it",
        )
    )
    output_config: Annotated[
        Json, Takes(OUTPUT_CONFIG), PlainValidator(_read_output_config), WithJsonSchema(_OBJECT)
    ] = Field({}, description="JSON schema that the answer has to match, and the effort of the model's thoughts")

    def chat(self, defaults: Mapping[str, object]) -> Chat:
        """Returns the chat; `defaults` are variables of the template, unless the request sets them. Raises
        InvalidRequest for tools that do not fit together."""
        system: list[Message] = [{"role": "system", "content": self.system}] if self.system else []
        variables: dict[str, object] = {}
        if self.thinking is not None:
            variables["enable_thinking"] = self.thinking.is_enabled
        if "effort" in self.output_config:
            variables["reasoning_effort"] = self.output_config["effort"]
        return Chat(
            messages=(*system, *self.messages),
            tools=make_tool_request(self.tools, self.tool_choice or ToolChoice("auto")),
            documents=(),
            add_generation_prompt=True,
            template_kwargs={**defaults, **variables},
        )


class MessagesRequestBody(GenerationOptions, MessageFields):
    """Body of /v1/messages."""

    n_predict: Annotated[Integer, Takes("0 or more")] = Field(
        ge=0,
        validation_alias=AliasChoices("max_tokens", "n_predict"),
        description="maximum number of tokens to generate; 0 = only evaluate the prompt",
    )
    stop: StopStrings = Field(
        (), validation_alias=AliasChoices("stop_sequences", "stop"), description="strings that end the answer"
    )
    temperature: Number = Field(
        0.8, ge=0.0, le=1.0, description="temperature; 0 = greedy, always the most likely token"
    )
    repeat_penalty: Number = Field(1.0, gt=0.0, description="penalty for repeated tokens; 1 = disabled")
    metadata: Annotated[Any, Takes("an object"), WithJsonSchema(_OBJECT)] = Field(
        None, description="accepted, without effect"
    )
    n: Annotated[Integer, Takes("1")] = Field(1, ge=1, le=1, description="number of answers to generate")

    def with_thinking_budget(self) -> Self:
        """Returns the body with the budget of `thinking` as the option that says so in all dialects, unless it has
        that itself."""
        budget = self.thinking.budget_tokens if self.thinking else None
        if budget is None or "reasoning_budget_tokens" in self.model_fields_set:
            return self
        return self.replace(reasoning_budget_tokens=budget)

    @property
    def constraint(self) -> Constraint | None:
        """What the answer has to match: the schema of the output's format, else what other options say."""
        schema = self.output_config.get("schema")
        if schema is None:
            return super().constraint
        return Constraint("output_config.format.schema", GrammarSource("json_schema", orjson.dumps(schema).decode()))
