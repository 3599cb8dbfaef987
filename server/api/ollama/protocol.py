"""Ollama's protocol: the bodies of requests that generate text, and of /api/show."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AliasChoices, Field, PlainValidator, WithJsonSchema

from server.api.ollama.content import MESSAGES, read_turns, with_images
from server.api.ollama.options import ModelName, OllamaOptions
from server.chat.messages import MAX_MESSAGES, Message
from server.chat.request import Chat
from server.chat.tools.request import ToolFields
from server.http.request_model import RequestBody
from slots.requests.params import Boolean, Takes

TOKENS = "a list of token ids"
_IMAGES = "a list of images"
_MESSAGE_SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {
        "role": {"type": "string"},
        "content": {"type": ["string", "null"]},
        "thinking": {"type": "string"},
        "tool_calls": {"type": "array", "items": {"type": "object"}},
        "tool_name": {"type": "string"},
        "tool_call_id": {"type": "string"},
    },
}


class OllamaChatBody(OllamaOptions, ToolFields):
    """Body of /api/chat."""

    messages: Annotated[
        list[Message],
        Takes(MESSAGES),
        PlainValidator(read_turns),
        WithJsonSchema({"type": "array", "maxItems": MAX_MESSAGES, "items": _MESSAGE_SCHEMA}),
    ] = Field([], description="the conversation so far; none loads the model")
    truncate: Boolean = Field(True, description="leave out the oldest turns of a chat that exceeds the context")

    def chat(self, defaults: Mapping[str, object]) -> Chat:
        """Returns the chat; `defaults` are variables of the template, unless the request sets them. Raises
        InvalidRequest for tools that do not fit together."""
        return Chat(
            messages=tuple(self.messages),
            tools=self.tool_request(),
            documents=(),
            add_generation_prompt=True,
            template_kwargs={**defaults, **self.template_variables()},
        )


class OllamaGenerateBody(OllamaOptions):
    """Body of /api/generate."""

    prompt: str = Field("", description="what the user says; an empty one loads the model")
    suffix: str = Field("", description="text after the one to generate, which follows the prompt then")
    system: str = Field("", description="system prompt; without one, the server's applies")
    template: str = Field("", description="template of the prompt, in place of the model's, in Ollama's language")
    raw: Boolean = Field(False, description="continue the prompt as it is, without a template")
    context: Annotated[
        tuple[Any, ...], Takes(TOKENS), WithJsonSchema({"type": "array", "items": {"type": "integer"}})
    ] = Field((), description="the context of an earlier answer, which goes on")
    images: Annotated[Any, Takes(_IMAGES), WithJsonSchema({"type": "array"})] = Field(
        (), description="pictures in base64, before the prompt"
    )

    def chat(self, defaults: Mapping[str, object]) -> Chat:
        """Returns the prompt as a chat; `defaults` as above."""
        system: list[Message] = [{"role": "system", "content": self.system}] if self.system else []
        messages: tuple[Message, ...] = (
            *system,
            {"role": "user", "content": with_images("images", self.images, self.prompt)},
        )
        return Chat(messages, None, (), True, {**defaults, **self.template_variables()})


class OllamaShowBody(RequestBody):
    """Body of /api/show."""

    model: ModelName = Field(
        validation_alias=AliasChoices("model", "name"), description="the name of the model, as /api/tags has it"
    )
    verbose: Boolean = Field(False, description="return long lists as well, such as the vocabulary")
