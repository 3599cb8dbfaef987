"""Grammar of a model's turn: reasoning, content and tool calls, and the special tokens that spell their tags."""

from collections.abc import Sequence

import orjson

from grammar.json_schema.loosen import LooseSchema, loosen_schema
from grammar.source import GrammarSource
from server.chat.tools.call_format import Pattern, Placeholder, ToolFormat
from server.chat.tools.reasoning import ReasoningTags
from server.chat.tools.request import Json, ToolRequest, get_tool_name, get_tool_parameters, is_strict
from slots.errors import InvalidRequest
from slots.llama import Vocab

_ID = {"pattern": "[a-zA-Z0-9]{9}"}


def tool_call_grammar(
    tool_format: ToolFormat,
    request: ToolRequest,
    reasoning_tags: ReasoningTags | None,
    answer_schema: str | None = None,
) -> GrammarSource:
    """Returns the grammar of a turn that may, or has to, call the request's callable tools, of which there has to be
    one. Arguments match the tools' schemas; an answer without calls matches `answer_schema`, the text of a JSON schema.

    Raises InvalidRequest for a schema that is nested too deeply.
    """
    tools = request.callable_tools
    first, trigger = tool_format.first_call, tool_format.trigger
    later = tool_format.later_call if request.parallel else None
    calls = {
        "trigger": _parts(trigger),
        "only_at_start": tool_format.is_only_at_start,
        "first": _parts_per_tool(first[len(trigger) :], tools),
        "later": [] if later is None else _parts_per_tool(later, tools),
        "end": _parts(tool_format.end),
    }
    schemas = [[_schema_name(tool), _enforced_schema(tool).text] for tool in tools]
    if answer_schema is None or request.must_call:
        return _turn_grammar(reasoning_tags, text=not request.must_call, calls=calls, json=None, schemas=schemas)
    schemas.append(["the JSON that is no call", answer_schema])
    return _turn_grammar(reasoning_tags, text=False, calls=calls, json=len(tools), schemas=schemas)


def unenforced_constraints(request: ToolRequest) -> tuple[str, ...]:
    """Returns what of the schemas of the callable tools is not enforced, in words. Raises InvalidRequest for a schema
    that is nested too deeply."""
    tools = request.callable_tools
    return tuple(f"{_schema_name(tool)}: {note}" for tool in tools for note in _enforced_schema(tool).notes)


def json_answer_grammar(schema: str, reasoning_tags: ReasoningTags) -> GrammarSource:
    """Returns the grammar of reasoning followed by JSON that matches `schema`, the text of a JSON schema."""
    return _turn_grammar(
        reasoning_tags, text=False, calls=None, json=0, schemas=[["the JSON after the thoughts", schema]]
    )


def _turn_grammar(reasoning_tags: ReasoningTags | None, **members: object) -> GrammarSource:
    tags = reasoning_tags and {
        "start": reasoning_tags.start,
        "end": reasoning_tags.end,
        "is_open": reasoning_tags.is_open,
    }
    return GrammarSource("turn", orjson.dumps({"thoughts": tags, **members}).decode())


def _parts_per_tool(pattern: Pattern, tools: Sequence[Json]) -> list[list[object]]:
    return [_parts(pattern, get_tool_name(tool), number) for number, tool in enumerate(tools)]


def _parts(pattern: Pattern, name: str = "", schema: int = 0) -> list[object]:
    values: dict[str | Placeholder, object] = {
        Placeholder.NAME: name,
        Placeholder.ARGUMENTS: {"schema": schema},
        Placeholder.ID: _ID,
        Placeholder.SPACE: None,
    }
    return [values.get(part, part) for part in pattern]


def _schema_name(tool: Json) -> str:
    return f'the parameters of the tool "{get_tool_name(tool)}"'


def _enforced_schema(tool: Json) -> LooseSchema:
    """Returns the schema of a tool; one that cannot be a grammar is loosened, unless the tool is strict."""
    try:
        text = orjson.dumps(get_tool_parameters(tool)).decode()
    except orjson.JSONEncodeError:
        raise InvalidRequest("tools", f"expected a less deep schema for {get_tool_name(tool)}") from None
    return LooseSchema(text, ()) if is_strict(tool) else loosen_schema(text)


def preserved_tokens(
    vocab: Vocab, tool_format: ToolFormat | None, reasoning_tags: ReasoningTags | None
) -> frozenset[int]:
    """Returns the control tokens that spell tags of calls and reasoning: other control tokens are not rendered as text.
    Never includes end-of-generation tokens."""
    texts = [
        *(tool_format.literals if tool_format else ()),
        *((reasoning_tags.start, reasoning_tags.end) if reasoning_tags else ()),
    ]
    tokens = {token for text in texts for token in vocab.tokenize(text, add_special=False, parse_special=True)}
    return frozenset(token for token in tokens - vocab.end_of_generation if vocab.is_control(token))
