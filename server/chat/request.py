"""The fields of a request that make up a chat."""

from collections.abc import Mapping
from dataclasses import dataclass

from server.chat.messages import Json, Message, read_messages
from server.chat.prompt import ChatPrompt, render_prompt
from server.chat.template.template import RESERVED_VARIABLES, ChatTemplate
from server.chat.tools.call_format import ToolFormat
from server.chat.tools.request import ToolRequest, read_tools
from server.http.fields import Fields, as_string, invalid_value, read_boolean
from slots.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class Chat:
    """What the chat template is given."""

    messages: tuple[Message, ...]
    tools: ToolRequest | None
    documents: tuple[Json, ...]
    add_generation_prompt: bool
    template_kwargs: Mapping[str, object]
    """Further variables."""

    def prompt(self, template: ChatTemplate, tool_format: ToolFormat | None) -> ChatPrompt:
        """Returns the prompt of the chat; `tool_format` is how the model writes calls, if that is known.

        Belongs to a worker thread. Raises InvalidRequest for messages that the template refuses.
        """
        return render_prompt(
            template,
            self.messages,
            tools=self.tools.tools if self.tools else None,
            tool_format=tool_format,
            documents=self.documents,
            add_generation_prompt=self.add_generation_prompt,
            template_kwargs=self.template_kwargs,
        )


def read_chat(fields: Fields, defaults: Mapping[str, object]) -> Chat:
    """Returns the chat of a request; `defaults` are further variables of the template that it may set otherwise.

    Raises InvalidRequest, which names the field, for a wrong value, and ApiError (501) for content that is no text.
    """
    return Chat(
        messages=tuple(read_messages(fields.get("messages"))),
        tools=read_tools(fields),
        documents=_read_documents(fields.get("documents")),
        add_generation_prompt=read_boolean(fields, "add_generation_prompt", True),
        template_kwargs={**defaults, **_read_effort(fields.get("reasoning_effort")), **_read_template_kwargs(fields)},
    )


def _read_documents(value: object) -> tuple[Json, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(part, dict) for part in value):
        raise invalid_value("documents", "a list of objects", value)
    return tuple(value)


def _read_effort(value: object) -> Json:
    if value is None:
        return {}
    effort = as_string("reasoning_effort", value)
    return {"enable_thinking": False} if effort == "none" else {"reasoning_effort": effort}


def _read_template_kwargs(fields: Fields) -> Json:
    more = fields.get("chat_template_kwargs")
    if more is None:
        return {}
    if not isinstance(more, dict):
        raise invalid_value("chat_template_kwargs", "an object", more)
    for name in RESERVED_VARIABLES:
        if name in more:
            raise InvalidRequest(f"chat_template_kwargs.{name}", "expected as a field of the request itself")
    return more
