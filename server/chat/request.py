"""ChatFields: the fields of a request body that make up a chat."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, PlainValidator, WithJsonSchema

from server.chat.messages import MAX_MESSAGES, MESSAGES, ROLES, Json, Message, read_messages
from server.chat.prompt import ChatPrompt, render_prompt
from server.chat.template.constants import RESERVED_VARIABLES
from server.chat.tools.call_format import ToolFormat
from server.chat.tools.request import ToolFields, ToolRequest
from server.http.fields import invalid_value
from slots.errors import InvalidRequest
from slots.requests.params import Boolean, Takes

if TYPE_CHECKING:
    from server.chat.template.template import ChatTemplate


@dataclass(frozen=True, slots=True)
class Chat:
    """What the chat template is given."""

    messages: tuple[Message, ...]
    tools: ToolRequest | None
    documents: tuple[Json, ...]
    add_generation_prompt: bool
    template_kwargs: Mapping[str, object]
    """Further variables."""

    def prompt(self, template: "ChatTemplate", tool_format: ToolFormat | None) -> ChatPrompt:
        """Returns the prompt of the chat; `tool_format` is how the model writes calls, if that is known. Call it from a
        worker thread. Raises InvalidRequest for messages that the template refuses."""
        return render_prompt(
            template,
            self.messages,
            tools=self.tools.tools if self.tools else None,
            tool_format=tool_format,
            documents=self.documents,
            add_generation_prompt=self.add_generation_prompt,
            template_kwargs=self.template_kwargs,
        )


def _read_template_kwargs(value: object) -> Json:
    if not isinstance(value, dict):
        raise invalid_value("chat_template_kwargs", "an object", value)
    for name in RESERVED_VARIABLES:
        if name in value:
            raise InvalidRequest(f"chat_template_kwargs.{name}", "expected as a field of the request itself")
    return value


MESSAGES_SCHEMA: Json = {
    "type": "array",
    "minItems": 1,
    "maxItems": MAX_MESSAGES,
    "items": {
        "type": "object",
        "properties": {
            "role": {"enum": list(ROLES)},
            "content": {"type": ["string", "array", "null"], "items": {"type": "object"}},
            "name": {"type": "string"},
            "tool_calls": {"type": "array", "items": {"type": "object"}},
            "tool_call_id": {"type": "string"},
            "reasoning_content": {"type": "string"},
        },
    },
}


Messages = Annotated[list[Message], Takes(MESSAGES), PlainValidator(read_messages), WithJsonSchema(MESSAGES_SCHEMA)]


class ChatFields(ToolFields):
    messages: Messages = Field(description="the conversation so far")
    documents: Annotated[tuple[Json, ...], Takes("a list of objects")] = Field(
        (), description="documents for the chat template"
    )
    add_generation_prompt: Boolean = Field(True, description="end the prompt with the beginning of an answer")
    reasoning_effort: str | None = Field(None, description='variable of the chat template; "none" turns reasoning off')
    chat_template_kwargs: Annotated[
        Json, Takes("an object"), PlainValidator(_read_template_kwargs), WithJsonSchema({"type": "object"})
    ] = Field({}, description="further variables of the chat template")

    def chat(self, defaults: Mapping[str, object]) -> Chat:
        """Returns the chat; `defaults` are further variables of the template, unless the request sets them. Raises
        InvalidRequest for tools that do not fit together."""
        effort: dict[str, object] = {}
        if self.reasoning_effort is not None:
            effort = {"reasoning_effort": self.reasoning_effort}
        if self.reasoning_effort == "none":
            effort = {"enable_thinking": False}
        return Chat(
            messages=tuple(self.messages),
            tools=self.tool_request(),
            documents=self.documents,
            add_generation_prompt=self.add_generation_prompt,
            template_kwargs={**defaults, **effort, **self.chat_template_kwargs},
        )
