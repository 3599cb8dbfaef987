"""ChatTemplate: renders messages to the text of a prompt, through the model's Jinja template."""

import json
import traceback
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache, cached_property

from jinja2 import TemplateSyntaxError
from jinja2.meta import find_undeclared_variables

from server.chat.messages import Json, Message
from server.chat.template.adapter import adapt_messages
from server.chat.template.answer_format import AnswerFormat, infer_answer_format
from server.chat.template.capabilities import Capabilities, detect_capabilities
from server.chat.template.jinja_environment import (
    MAX_STEPS,
    ChatEnvironment,
    TemplateRaised,
    changes_lists,
    copied,
    render_within_bounds,
)
from server.chat.template.probes import CONTENT, USER
from server.chat.tools.call_format import ToolFormat
from server.chat.tools.known_formats import find_known_format
from server.chat.tools.request import with_descriptions
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
            self._changes_lists = changes_lists(source)
            undeclared = find_undeclared_variables(_environment().parse(source))
            self._needs_functions = "functions" in undeclared and "tools" not in undeclared
        except Exception as error:  # Jinja's own, or Python's on the code that Jinja generates
            line = _line(error)
            raise ChatTemplateError(f"line {line}: {_error_text(error)}" if line else _error_text(error)) from None

    @cached_property
    def capabilities(self) -> Capabilities:
        return detect_capabilities(self._probe)

    @cached_property
    def answer_format(self) -> AnswerFormat:
        """What the model writes around its reasoning and its answers."""
        return infer_answer_format(self.source, self._render_probe)

    @cached_property
    def text_format(self) -> ToolFormat | None:
        """How the model writes calls if the template leaves them out, so that they are text of a message; None if that
        is unknown."""
        return None if self.capabilities.supports_tool_calls else find_known_format(self.source)

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

        `template_kwargs` are additional template variables; `enable_thinking` is true unless they say otherwise.
        Raises InvalidRequest, with the template's own message, for messages that the template refuses or fails on.
        """
        variables: Json = {
            "tools": tools or self._no_tools,
            "documents": documents or None,
            "add_generation_prompt": add_generation_prompt,
            "enable_thinking": True,
            **self._named_otherwise(tools),
            **(template_kwargs or {}),
        }
        adapted = adapt_messages(messages, self.capabilities, self.text_format)
        try:
            return self._render_text(adapted, variables)
        except Exception as error:  # a template can raise anything that Python can
            if not tools:
                raise InvalidRequest("messages", _reason(error)) from None
            failure = error
        try:  # some templates rely on what a schema may leave out
            return self._render_text(adapted, variables | {"tools": with_descriptions(tools)})
        except Exception:
            raise InvalidRequest("messages", _reason(failure)) from None

    def _render_text(self, messages: Sequence[Message], variables: Mapping[str, object]) -> str:
        """Raises whatever the template raises, and UnicodeEncodeError for half a character."""
        text = self._render(messages, variables, MAX_STEPS)
        text.encode()
        return text

    def default_system_prompt(self, template_kwargs: Mapping[str, object]) -> str:
        """Returns what the template writes as a system message for a chat that has none; "" if that is nothing, or
        unknown."""
        try:
            chosen = self.render([{"role": "system", "content": CONTENT}, USER], template_kwargs=template_kwargs)
            default = self.render([USER], template_kwargs=template_kwargs)
        except InvalidRequest:
            return ""
        before, found, after = chosen.partition(CONTENT)
        if not found or not (default.startswith(before) and default.endswith(after)):
            return ""
        return default[len(before) : len(default) - len(after)].strip()

    def _named_otherwise(self, tools: Sequence[Json] | None) -> Json:
        """Returns what some templates call otherwise: the tools as a text, and the date."""
        if not self._needs_functions:
            return {}
        functions = json.dumps([tool["function"] for tool in tools], indent=2) if tools else ""
        return {"functions": functions, "datetime": datetime.now().strftime("%b %d %Y %H:%M:%S GMT")}

    def _render_probe(self, messages: Sequence[Message], add_generation_prompt: bool) -> str:
        """Returns the text of adapted messages; "" if the template fails."""
        try:
            return self.render(messages, add_generation_prompt=add_generation_prompt)
        except InvalidRequest:
            return ""

    def _probe(self, messages: Sequence[Message], tools: Sequence[Json] | None) -> str | None:
        """Returns the text of unadapted messages; None if the template fails."""
        variables: Json = {"tools": tools, "documents": None, "add_generation_prompt": False}
        variables |= self._named_otherwise(tools)
        try:
            return self._render(messages, variables, _MAX_PROBE_STEPS)
        except Exception:  # as above
            return None

    def _render(self, messages: Sequence[Message], variables: Mapping[str, object], max_steps: int) -> str:
        all_variables = {**self._special, **_dates(), "messages": messages, **variables}
        if self._changes_lists:
            all_variables = {name: copied(value) for name, value in all_variables.items()}
        return render_within_bounds(self._template, all_variables, max_steps)


def _dates() -> dict[str, str]:
    """Returns today as templates of Llama and Firefunction have it, by the names of llama.cpp's server."""
    now = datetime.now()
    return {"date_string": now.strftime("%d %b %Y"), "datetime": now.strftime("%b %d %Y")}


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
