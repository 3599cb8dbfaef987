"""What a model may say in its turn, as a grammar."""

from collections.abc import Sequence

import orjson

from grammar.source import GrammarSource
from server.chat.tools.call_format import Pattern, Placeholder, ToolFormat
from server.chat.tools.reasoning import ReasoningTags
from server.chat.tools.request import Json, ToolRequest, get_tool_name, get_tool_parameters
from slots.errors import InvalidRequest
from slots.llama import Vocab

_ID = {"pattern": "[a-zA-Z0-9]{9}"}
_OTHER_PROPERTY_KEYWORDS = frozenset({"additionalProperties", "patternProperties", "$ref", "allOf", "anyOf", "oneOf"})
"""Where a schema may have names of members besides its properties."""


def tool_call_grammar(
    tool_format: ToolFormat,
    request: ToolRequest,
    reasoning_tags: ReasoningTags | None,
    answer_schema: str | None = None,
) -> GrammarSource:
    """Returns the grammar of a turn that may, or has to, call the tools of a request; the arguments match their
    schemas. Not for a request that may call none. What is no call matches `answer_schema`, a JSON schema as text.

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
    schemas = [[f'the parameters of the tool "{get_tool_name(tool)}"', _schema_text(tool)] for tool in tools]
    if answer_schema is None or request.must_call:
        return _turn_grammar(reasoning_tags, text=not request.must_call, calls=calls, json=None, schemas=schemas)
    schemas.append(["the JSON that is no call", answer_schema])
    return _turn_grammar(reasoning_tags, text=False, calls=calls, json=len(tools), schemas=schemas)


def json_answer_grammar(schema: str, reasoning_tags: ReasoningTags) -> GrammarSource:
    """Returns the grammar of a turn that is JSON, which matches a schema that is given as JSON text, after thoughts."""
    return _turn_grammar(
        reasoning_tags, text=False, calls=None, json=0, schemas=[["the JSON after the thoughts", schema]]
    )


def _turn_grammar(reasoning_tags: ReasoningTags | None, **members: object) -> GrammarSource:
    thoughts = reasoning_tags and {
        "start": reasoning_tags.start,
        "end": reasoning_tags.end,
        "is_open": reasoning_tags.is_open,
    }
    return GrammarSource("turn", orjson.dumps({"thoughts": thoughts, **members}).decode())


def _parts_per_tool(pieces: Pattern, tools: Sequence[Json]) -> list[list[object]]:
    return [_parts(pieces, get_tool_name(tool), number) for number, tool in enumerate(tools)]


def _parts(pieces: Pattern, name: str = "", schema: int = 0) -> list[object]:
    values: dict[str | Placeholder, object] = {
        Placeholder.NAME: name,
        Placeholder.ARGUMENTS: {"schema": schema},
        Placeholder.ID: _ID,
        Placeholder.SPACE: None,
    }
    return [values.get(piece, piece) for piece in pieces]


def _schema_text(tool: Json) -> str:
    """A function has no parameters but those that it tells of, while a schema leaves an object open."""
    schema = get_tool_parameters(tool)
    if "properties" in schema and schema.keys().isdisjoint(_OTHER_PROPERTY_KEYWORDS):
        schema = {**schema, "additionalProperties": False}
    try:
        return orjson.dumps(schema).decode()
    except orjson.JSONEncodeError:
        raise InvalidRequest("tools", f"expected a less deep schema for {get_tool_name(tool)}") from None


def preserved_tokens(
    vocab: Vocab, tool_format: ToolFormat | None, reasoning_tags: ReasoningTags | None
) -> frozenset[int]:
    """Returns the control tokens, which usually add nothing to a text, that spell tags of calls or thoughts. Tokens
    that end a generation are never among them."""
    texts = [
        *(tool_format.literals if tool_format else ()),
        *((reasoning_tags.start, reasoning_tags.end) if reasoning_tags else ()),
    ]
    tokens = {token for text in texts for token in vocab.tokenize(text, add_special=False, parse_special=True)}
    return frozenset(token for token in tokens - vocab.end_of_generation if vocab.is_control(token))
