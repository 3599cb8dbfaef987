"""The options of OpenAI's chats, on top of those that all completions have."""

from dataclasses import dataclass, replace

from server.api.openai.logprobs import LogprobsOptions, read_chat_logprobs
from server.api.openai.protocol import wants_usage
from server.chat.prompt import ChatPrompt
from server.chat.tools.call_format import ToolFormat
from server.chat.tools.grammar import json_answer_grammar, preserved_tokens, tool_call_grammar
from server.chat.tools.output_parser import OutputParser
from server.chat.tools.reasoning import ReasoningTags
from server.chat.tools.request import ToolRequest
from server.generation.options import CompletionOptions, read_options
from server.http.fields import Fields, invalid_value, read_string
from server.settings import REASONING_FORMATS, CompletionDefaults, Constraint, ReasoningFormat, Settings
from slots.engine import Engine
from slots.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class ChatOptions:
    completion: CompletionOptions
    logprobs: LogprobsOptions
    include_usage: bool
    tool_format: ToolFormat | None
    """How calls are written; None if no tool may be called."""
    thinking: ReasoningTags | None
    """How thoughts are told from the rest; None if they are not."""

    def parser(self) -> OutputParser:
        """Returns what takes the text of one choice apart."""
        return OutputParser(self.tool_format, self.thinking)


def read_chat_options(
    fields: Fields, prompt: ChatPrompt, tools: ToolRequest | None, engine: Engine, settings: Settings
) -> ChatOptions:
    """Returns the options of a request to `engine` that wants to go on from a chat's prompt and offers `tools`;
    `settings` say what it leaves out.

    Raises InvalidRequest, which names the field, and ApiError (501) for an option that is not supported.
    """
    logprobs, defaults = read_chat_logprobs(fields), settings.openai_defaults
    own = {"n_probs": logprobs.n_probs, "logprobs": None}
    options = read_options({**fields, **own}, engine, defaults)
    tool_format = prompt.tool_format if tools and tools.callable_tools else None
    constraint, thinking = options.constraint, prompt.reasoning_tags
    if tools and tool_format:
        schema = _answer_schema(constraint, defaults, tool_format)
        constraint = Constraint("tools", tool_call_grammar(tool_format, tools, thinking, schema))
    elif constraint and thinking:
        constraint, thinking = _constrain_after_reasoning(constraint, thinking)
    preserved = preserved_tokens(engine.vocab, tool_format, thinking)
    completion = replace(options, constraint=constraint, preserved=preserved)
    if _read_reasoning_format(fields, settings.reasoning_format) == "none":
        thinking = None
    return ChatOptions(completion, logprobs, wants_usage(fields), tool_format, thinking)


def _answer_schema(constraint: Constraint | None, defaults: CompletionDefaults, tool_format: ToolFormat) -> str | None:
    """The JSON schema of an answer that calls no tool; None leaves it free. What a flag asks of every text gives way to
    calls, other grammars that a request asks for cannot, and neither can JSON where calls are nothing else."""
    if constraint is None or constraint is defaults.constraint:
        return None
    if constraint.source.kind != "json_schema":
        raise InvalidRequest(constraint.name, "expected a JSON schema or nothing beside tools that may be called")
    if tool_format.is_only_at_start:
        message = "expected nothing beside tools that may be called, since this model's calls are bare JSON"
        raise InvalidRequest(constraint.name, message)
    return constraint.source.text


def _constrain_after_reasoning(constraint: Constraint, thinking: ReasoningTags) -> tuple[Constraint, ReasoningTags]:
    """JSON comes after the thoughts. Any other grammar is for all that the model writes, so that there are no thoughts
    unless it spells them itself."""
    if constraint.source.kind == "json_schema":
        return replace(constraint, source=json_answer_grammar(constraint.source.text, thinking)), thinking
    return constraint, replace(thinking, is_open=False)


def _read_reasoning_format(fields: Fields, default: ReasoningFormat) -> str:
    given = read_string(fields, "reasoning_format", default)
    if given not in REASONING_FORMATS:
        raise invalid_value("reasoning_format", " or ".join(REASONING_FORMATS), given)
    return given
