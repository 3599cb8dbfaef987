"""ChatFields: the fields of a request body that make up a chat."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, PlainValidator, WithJsonSchema

from server.chat.messages import MAX_MESSAGES, MESSAGES, ROLES, Json, Message, read_messages
from server.chat.prompt import ChatPrompt, ContinuedPart, is_answer_beginning, render_prompt
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
    continued: ContinuedPart | None = None
    """What of the last message goes on, if the request says so."""

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
            continued=self.continued,
        )


def _read_template_kwargs(value: object) -> Json:
    if not isinstance(value, dict):
        raise invalid_value("chat_template_kwargs", "an object", value)
    for name in RESERVED_VARIABLES:
        if name in value:
            raise InvalidRequest(f"chat_template_kwargs.{name}", "expected as a field of the request itself")
    if isinstance(value.get("enable_thinking"), str):
        raise invalid_value("chat_template_kwargs.enable_thinking", "true or false", value["enable_thinking"])
    return value


_CONTINUED_PARTS: dict[object, ContinuedPart | None] = {
    True: "any",
    False: None,
    "content": "content",
    "reasoning_content": "reasoning_content",
}
_CONTINUED = "true, false, content or reasoning_content"


def _read_continued(value: object) -> ContinuedPart | None:
    if not isinstance(value, bool | str) or value not in _CONTINUED_PARTS:
        raise invalid_value("continue_final_message", _CONTINUED, value)
    return _CONTINUED_PARTS[value]


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


TemplateKwargs = Annotated[
    Json, Takes("an object"), PlainValidator(_read_template_kwargs), WithJsonSchema({"type": "object"})
]


class ChatFields(ToolFields):
    messages: Messages = Field(description="the conversation so far")
    documents: Annotated[tuple[Json, ...], Takes("a list of objects")] = Field(
        (), description="documents for the chat template"
    )
    add_generation_prompt: Boolean = Field(True, description="end the prompt with the beginning of an answer")
    continue_final_message: Annotated[
        ContinuedPart | None,
        Takes(_CONTINUED),
        PlainValidator(_read_continued),
        WithJsonSchema({"enum": [*_CONTINUED_PARTS]}),
    ] = Field(None, description="go on with the last message, which is the assistant's; a part of it can be named")
    reasoning_effort: str | None = Field(None, description='variable of the chat template; "none" turns reasoning off')
    chat_template_kwargs: TemplateKwargs = Field({}, description="further variables of the chat template")

    def chat(self, defaults: Mapping[str, object]) -> Chat:
        """Returns the chat; `defaults` are further variables of the template, unless the request sets them. Raises
        InvalidRequest for tools that do not fit together, and for a last message that cannot go on."""
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
            continued=self._continued_part(),
        )

    def _continued_part(self) -> ContinuedPart | None:
        part = self.continue_final_message
        if part is None:
            return None
        if self.add_generation_prompt and "add_generation_prompt" in self.model_fields_set:
            message = "expected false beside continue_final_message, since no other answer begins"
            raise InvalidRequest("add_generation_prompt", message)
        if not is_answer_beginning(self.messages[-1]):
            raise InvalidRequest("continue_final_message", "expected an answer without calls as the last message")
        return part
