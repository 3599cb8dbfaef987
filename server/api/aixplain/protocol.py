"""aiXplain's protocol: the body of an execution, and the messages that it makes up."""

from typing import Annotated, Any, Self

import orjson
from pydantic import AliasChoices, BaseModel, BeforeValidator, Field, PlainValidator, WithJsonSchema

from server.chat.messages import Json, Message, read_messages
from server.chat.request import MESSAGES_SCHEMA, ChatFields, Messages
from server.http.fields import Fields
from server.options.constraint import ResponseFormat
from server.options.generation_options import GenerationOptions
from slots.errors import InvalidRequest
from slots.requests.params import Boolean, Integer, Number, Params, Takes

INPUT = "a text, any other JSON value, or a list of messages"
FORMAT_NAMES = ("text", "json_object")


class ExecutionOptions(BaseModel):
    stream: Boolean | None = None


def _read_history(value: object) -> list[Message]:
    return [] if value == [] else read_messages(value, name="history")


def _read_format(value: object) -> object:
    """The SDK calls it a text: the name of a format, or the JSON of one."""
    if not isinstance(value, str):
        return value
    if value in FORMAT_NAMES:
        return {"type": value}
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value


History = Annotated[
    list[Message],
    Takes("a list of messages"),
    PlainValidator(_read_history),
    WithJsonSchema({**MESSAGES_SCHEMA, "minItems": 0}),
]
Input = Annotated[Any, Takes(INPUT), WithJsonSchema({})]
FormatOrName = Annotated[
    ResponseFormat,
    BeforeValidator(_read_format),
    WithJsonSchema({"type": ["object", "string"]}),
]


class ExecutionRequestBody(GenerationOptions, ChatFields):
    """Body of /api/v1/execute/{model} and /api/v2/execute/{model}."""

    data: Input = Field(None, description="what is said last; a value that is no text is passed on as JSON")
    text: Input = Field(None, description="the same, if there is no data")
    context: str | None = Field(None, description="system message")
    prompt: str | None = Field(None, description="text in front of the data, on a line of its own")
    history: History = Field([], description="messages before the data, as in OpenAI's chats")
    messages: Messages = Field([], description="the same as a list of messages in data")
    n_predict: Annotated[Integer, Takes("-1 or more")] = Field(
        128,
        ge=-1,
        validation_alias=AliasChoices("max_tokens", "max_completion_tokens", "n_predict"),
        description="maximum number of tokens to generate; -1 = until the context is full",
    )
    temperature: Number = Field(0.001, description="temperature; 0 = greedy, always the most likely token")
    top_p: Number = Field(
        1.0,
        ge=0.0,
        le=1.0,
        description="top-p: keep the most likely tokens that reach this probability together; 1 = disabled",
    )
    repeat_penalty: Number = Field(1.0, gt=0.0, description="penalty for repeated tokens; 1 = disabled")
    response_format: FormatOrName = Field(
        None, description="format of the output, as OpenAI specifies it; may also be its JSON, text or json_object"
    )
    options: Annotated[ExecutionOptions, Takes("an object with stream")] = Field(
        ExecutionOptions(), description="stream: return the text as server-sent events, token by token"
    )
    parameters: Annotated[Json, Takes("an object")] = Field(
        {}, description="further members of the body, which replace those beside it"
    )

    @classmethod
    def parse(cls, fields: Fields, context: object = None, defaults: Params | None = None) -> Self:
        body = super().parse(_flatten(fields), context, defaults)
        return body if body.options.stream is None else body.replace(stream=body.options.stream)

    def conversation(self) -> list[Message]:
        """Returns the messages: context, history, and the input after the prompt. Raises InvalidRequest without any
        input."""
        context: list[Message] = [] if self.context is None else [{"role": "system", "content": self.context}]
        *earlier, last = self._input_messages()
        if self.prompt:
            last = {**last, "content": _prepend(self.prompt, str(last["content"] or ""))}
        return [*context, *self.history, *earlier, last]

    def _input_messages(self) -> list[Message]:
        for name in ("data", "text"):
            value = self.__dict__[name]
            if _is_conversation(value):
                return read_messages(value, name=name)
            if value is not None:
                return [{"role": "user", "content": value if isinstance(value, str) else orjson.dumps(value).decode()}]
        if not self.messages:
            raise InvalidRequest("data", f"expected {INPUT}, got nothing")
        return self.messages


def _flatten(fields: Fields) -> Fields:
    """Returns a body with its parameters as members."""
    parameters = fields.get("parameters")
    if isinstance(parameters, dict):
        fields = {**fields, **parameters}
    if "data" in fields and all(fields.get(name) is None for name in ("data", "text", "messages")):
        return {**fields, "data": "null"}  # which the SDK makes of the text "null"
    return fields


def _is_conversation(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(part, dict) and "role" in part for part in value)


def _prepend(prompt: str, text: str) -> str:
    return prompt + ("" if prompt[-1].isspace() else "\n") + text
