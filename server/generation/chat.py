"""Chat generation: from a chat and its options to the prompt, the grammar and the parser of the output."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from starlette.requests import Request

from grammar.call_arguments.objects import Arguments
from server.chat.control_text import ControlText
from server.chat.media_parts import media_in
from server.chat.prompt import tokenize_prompt
from server.chat.request import Chat
from server.chat.system_prefix import n_system_tokens
from server.chat.tools.call_format import ToolFormat
from server.chat.tools.grammar import (
    argument_schemas,
    json_answer_grammar,
    preserved_tokens,
    tool_call_grammar,
    unenforced_constraints,
)
from server.chat.tools.output_parser import OutputParser
from server.chat.tools.reasoning import ContentTags, ReasoningTags
from server.generation.media import MediaLoader, name_media, pieces_with_media
from server.generation.prompts import Prompt
from server.generation.reasoning_budget import make_reasoning_budget
from server.options.constraint import Constraint
from server.options.generation_options import GenerationOptions
from server.state import get_chat_format, get_engine, get_state
from slots.errors import InvalidRequest
from slots.requests.reasoning_budget import ReasoningBudget


@dataclass(frozen=True, slots=True)
class ChatGeneration:
    prompt: Prompt
    constraint: Constraint | None
    preserved_tokens: frozenset[int]
    stop: tuple[str, ...]
    """Strings that end the answer besides those of the request."""
    tool_format: ToolFormat | None
    """How calls are written; None if no tool may be called."""
    reasoning_tags: ReasoningTags | None
    """What encloses the reasoning; None if it stays in the text."""
    content_tags: tuple[ContentTags, ...]
    """What encloses the text of the answer, and is left out."""
    arguments: Mapping[str, Sequence[Arguments]]
    """By the names of tools, what their schemas allow, if calls are not JSON."""
    warnings: tuple[str, ...]
    """What of the tools' schemas is not enforced."""
    reasoning_budget: ReasoningBudget | None
    """None if the thoughts have no limit, or if there are none."""

    def parser(self) -> OutputParser:
        """Returns a parser for the text of one choice."""
        return OutputParser(self.tool_format, self.reasoning_tags, self.content_tags, self.arguments)


def prepare_chat(request: Request, chat: Chat, options: GenerationOptions, reasoning_format: str) -> ChatGeneration:
    """Returns what is needed to generate an answer to `chat`. The system prompt of the options, else the server's,
    precedes a chat that has none. With the reasoning format "none", reasoning stays in the text.

    Call it from a worker thread. Raises InvalidRequest for messages that the template refuses, and for a grammar that
    cannot be combined with the chat's tools.
    """
    state, engine, chat_format = get_state(request), get_engine(request), get_chat_format(request)
    defaults = state.settings.chat_template_kwargs
    system_prompt = options.system_prompt or state.system_prompt
    full = with_system_prompt(chat, system_prompt.text)
    parts = media_in(full.messages)
    media = MediaLoader(engine, state.settings).load_parts(parts)
    controls = ControlText(full.messages, engine.vocab)
    rendered = chat_format.render(replace(full, messages=controls.mark(full.messages)))
    tool_format = rendered.tool_format if chat.tools and chat.tools.callable_tools else None
    constraint, tags = options.constraint, rendered.reasoning_tags
    content_tags = rendered.content_tags
    thinking_tags = tags if tool_format or _is_json(constraint) else None
    warnings: tuple[str, ...] = ()
    if chat.tools and tool_format:
        schema = _answer_schema(constraint, state.settings.defaults, tool_format, content_tags)
        constraint = Constraint("tools", tool_call_grammar(tool_format, chat.tools, tags, schema, content_tags))
        warnings = unenforced_constraints(tool_format, chat.tools)
    elif constraint and not _is_json(constraint):
        # It applies to the whole output: there is no reasoning unless the grammar itself spells it.
        tags, content_tags = tags and replace(tags, is_open=False), ()
    elif constraint and (tags or content_tags):
        source = json_answer_grammar(constraint.source.text, tags, content_tags)
        constraint = replace(constraint, source=source)
    preserved = preserved_tokens(engine.vocab, tool_format, tags, content_tags)
    tokens = tokenize_prompt(pieces_with_media(rendered.text, media, parts), engine.vocab, controls)
    n_system = 0
    if full is not chat:
        n_system = n_system_tokens(full, tokens, chat_format.template, defaults, engine.vocab)
    text = name_media(controls.unmark(rendered.text), parts, state.settings.media_marker)
    prompt = Prompt(text, tokens, n_system, "messages", tuple(media.values()))
    shown_tags = None if reasoning_format == "none" else tags
    budget = make_reasoning_budget(options, state.settings.defaults, thinking_tags, engine.vocab)
    stop = chat_format.template.stop
    arguments = argument_schemas(tool_format, chat.tools) if chat.tools and tool_format else {}
    return ChatGeneration(
        prompt, constraint, preserved, stop, tool_format, shown_tags, content_tags, arguments, warnings, budget
    )


def with_system_prompt(chat: Chat, text: str) -> Chat:
    """Returns the chat with a system prompt as its first message, unless that is empty or the chat has its own."""
    if not text or any(message["role"] == "system" for message in chat.messages):
        return chat
    return replace(chat, messages=({"role": "system", "content": text}, *chat.messages))


def _answer_schema(
    constraint: Constraint | None,
    defaults: GenerationOptions,
    tool_format: ToolFormat,
    content_tags: Sequence[ContentTags],
) -> str | None:
    """Returns the JSON schema of an answer without calls; None leaves it free. A constraint from a flag gives way to
    calls. Other grammars of a request than JSON schemas are refused, and so are these if calls are bare JSON."""
    if constraint is None or constraint is defaults.constraint:
        return None
    if constraint.source.kind != "json_schema":
        raise InvalidRequest(constraint.name, "expected a JSON schema or nothing beside tools that may be called")
    if tool_format.is_only_at_start and not content_tags:
        message = "expected nothing beside tools that may be called, since this model's calls are bare JSON"
        raise InvalidRequest(constraint.name, message)
    return constraint.source.text


def _is_json(constraint: Constraint | None) -> bool:
    """Whether an answer is JSON, or free, so that reasoning may precede it."""
    return constraint is None or constraint.source.kind == "json_schema"
