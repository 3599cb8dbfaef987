"""ChatTemplate: renders messages to the text of a prompt, through the model's Jinja template."""

import traceback
from collections.abc import Mapping, Sequence
from functools import cache, cached_property

from jinja2 import TemplateSyntaxError

from server.chat.messages import Json, Message
from server.chat.template.adapter import adapt_messages
from server.chat.template.capabilities import Capabilities, detect_capabilities
from server.chat.template.jinja_environment import MAX_STEPS, ChatEnvironment, TemplateRaised, render_within_bounds
from slots.errors import InvalidRequest

_MAX_PROBE_STEPS = 20_000


class ChatTemplateError(ValueError):
    """A template that Jinja cannot parse; the message says why."""


class ChatTemplate:
    """Safe to use from any thread; rendering is for a worker thread, since a template may take seconds."""

    def __init__(self, source: str, bos: str, eos: str, stop: tuple[str, ...] = ()) -> None:
        """`bos` and `eos` are the texts of these tokens, or ""; `stop` ends an answer where no token of the model does.
        Raises ChatTemplateError."""
        self.source = source
        self.bos = bos
        self.stop = stop
        self._special = {"bos_token": bos, "eos_token": eos}
        try:
            self._template = _environment().parse_chat_template(source)
        except Exception as error:  # Jinja's own, or Python's on the code that Jinja generates
            line = _line(error)
            raise ChatTemplateError(f"line {line}: {_error_text(error)}" if line else _error_text(error)) from None

    @cached_property
    def capabilities(self) -> Capabilities:
        return detect_capabilities(self._probe)

    @property
    def _no_tools(self) -> Sequence[Json] | None:
        return [] if self.capabilities.needs_list_of_tools else None

    def render(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Json] | None = None,
        documents: Sequence[Json] | None = None,
        add_generation_prompt: bool = True,
        template_kwargs: Mapping[str, object] | None = None,
    ) -> str:
        """Returns the text of a chat, with messages adapted to what the template supports.

        `template_kwargs` are additional template variables. Raises InvalidRequest, with the template's own message, for
        messages that the template refuses or fails on.
        """
        variables: Json = {
            "tools": tools or self._no_tools,
            "documents": documents or None,
            "add_generation_prompt": add_generation_prompt,
            **(template_kwargs or {}),
        }
        try:
            text = self._render(adapt_messages(messages, self.capabilities), variables, MAX_STEPS)
            text.encode()
        except Exception as error:  # a template can raise anything that Python can
            raise InvalidRequest("messages", _reason(error)) from None
        return text

    def _probe(self, messages: Sequence[Message], tools: Sequence[Json] | None) -> str | None:
        """Returns the text of unadapted messages; None if the template fails."""
        variables: Json = {"tools": tools, "documents": None, "add_generation_prompt": False}
        try:
            return self._render(messages, variables, _MAX_PROBE_STEPS)
        except Exception:  # as above
            return None

    def _render(self, messages: Sequence[Message], variables: Mapping[str, object], max_steps: int) -> str:
        return render_within_bounds(self._template, {**self._special, "messages": messages, **variables}, max_steps)


@cache
def _environment() -> ChatEnvironment:
    return ChatEnvironment()


def _reason(error: Exception) -> str:
    """Returns the template's own message as it is, and any other error with its line in the template."""
    if isinstance(error, TemplateRaised):
        return str(error)
    line = _line(error)
    return f"the chat template fails{f' in line {line}' if line else ''}: {_error_text(error)}"


def _line(error: Exception) -> int | None:
    if isinstance(error, TemplateSyntaxError):
        return error.lineno
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == "<template>"]
    return lines[-1] if lines else None


def _error_text(error: Exception) -> str:
    words = error.message if isinstance(error, TemplateSyntaxError) else str(error)
    return words or type(error).__name__
