"""Grammar of a model's turn: reasoning, content and tool calls, and the special tokens that spell their tags."""

from collections.abc import Sequence

import orjson

from grammar.call_arguments.objects import Arguments, read_arguments, unenforced_keywords
from grammar.json_schema.loosen import LooseSchema, loosen_schema
from grammar.source import GrammarSource
from server.chat.tools.call_format import Pattern, Placeholder, ToolFormat
from server.chat.tools.reasoning import ContentTags, ReasoningTags
from server.chat.tools.request import Json, ToolRequest, get_tool_name, get_tool_parameters, is_strict
from slots.errors import InvalidRequest
from slots.llama import Vocab

_ID = {"pattern": "[a-zA-Z0-9]{9}"}
_INDEX = {"pattern": "[0-9]{1,3}"}


def tool_call_grammar(
    tool_format: ToolFormat,
    request: ToolRequest,
    reasoning_tags: ReasoningTags | None,
    answer_schema: str | None = None,
    content_tags: Sequence[ContentTags] = (),
) -> GrammarSource:
    """Returns the grammar of a turn that may, or has to, call the request's callable tools, of which there has to be
    one. Arguments match the tools' schemas; an answer without calls matches `answer_schema`, the text of a JSON schema.

    Raises InvalidRequest for a schema that is nested too deeply.
    """
    tools = request.callable_tools
    schemas = [[_schema_name(tool), _enforced_schema(tool).text] for tool in tools]
    has_json = answer_schema is not None and not request.must_call
    if has_json:
        schemas.append(["the JSON that is no call", answer_schema or ""])
    syntax = tool_format.arguments
    return _turn_grammar(
        reasoning_tags,
        content_tags,
        text=not request.must_call and not has_json,
        calls=_calls(tool_format, request),
        arguments=syntax.json() if syntax else None,
        json=len(tools) if has_json else None,
        schemas=schemas,
    )


def _calls(tool_format: ToolFormat, request: ToolRequest) -> dict[str, object]:
    tools = request.callable_tools
    forms = [_form(tool_format, form, tools) for form in tool_format.first_calls]
    later = tool_format.later_call if request.parallel else None
    return {
        **forms[0],
        "others": forms[1:],
        "only_at_start": tool_format.is_only_at_start,
        "later": [] if later is None else _parts_per_tool(later, tools),
        "end": _parts(tool_format.end),
    }


def _form(tool_format: ToolFormat, first_call: Pattern, tools: Sequence[Json]) -> dict[str, object]:
    """Returns a form of the first call, with the number that this has."""
    trigger = tool_format.trigger_of(first_call)
    numbered = [str(tool_format.first_index) if part is Placeholder.INDEX else part for part in first_call]
    return {"trigger": _parts(trigger), "first": _parts_per_tool(tuple(numbered[len(trigger) :]), tools)}


def argument_schemas(tool_format: ToolFormat, request: ToolRequest) -> dict[str, tuple[Arguments, ...]]:
    """Returns what the schemas of the callable tools allow, by the names of the tools; nothing if arguments are JSON,
    which says by itself what is a string."""
    syntax = tool_format.arguments
    if syntax is None:
        return {}
    return {
        get_tool_name(tool): read_arguments(_enforced_schema(tool).text, has_bare_strings=syntax.has_bare_strings)
        for tool in request.callable_tools
    }


def unenforced_constraints(tool_format: ToolFormat, request: ToolRequest) -> tuple[str, ...]:
    """Returns what of the schemas of the callable tools is not enforced, in words. Raises InvalidRequest for a schema
    that is nested too deeply, and for a strict tool of which not all is."""
    notes: list[str] = []
    for tool in request.callable_tools:
        loose = _enforced_schema(tool)
        own = [f'"{keyword}" is not enforced' for keyword in unenforced_keywords(loose.text) if tool_format.arguments]
        if own and is_strict(tool):
            raise InvalidRequest("tools", f"{_schema_name(tool)}: {own[0]} in the form of this model's calls")
        notes += [f"{_schema_name(tool)}: {note}" for note in (*loose.notes, *own)]
    return tuple(notes)


def json_answer_grammar(
    schema: str, reasoning_tags: ReasoningTags | None, content_tags: Sequence[ContentTags] = ()
) -> GrammarSource:
    """Returns the grammar of reasoning followed by JSON that matches `schema`, the text of a JSON schema."""
    schemas = [["the JSON after the thoughts", schema]]
    return _turn_grammar(reasoning_tags, content_tags, text=False, calls=None, json=0, schemas=schemas)


def _turn_grammar(
    reasoning_tags: ReasoningTags | None, content_tags: Sequence[ContentTags], **members: object
) -> GrammarSource:
    tags = reasoning_tags and {
        "start": reasoning_tags.start,
        "end": reasoning_tags.end,
        "is_open": reasoning_tags.is_open,
    }
    content = [{"start": each.start, "end": each.end} for each in content_tags]
    return GrammarSource("turn", orjson.dumps({"thoughts": tags, "content": content, **members}).decode())


def _parts_per_tool(pattern: Pattern, tools: Sequence[Json]) -> list[list[object]]:
    return [_parts(pattern, get_tool_name(tool), number) for number, tool in enumerate(tools)]


def _parts(pattern: Pattern, name: str = "", schema: int = 0) -> list[object]:
    values: dict[str | Placeholder, object] = {
        Placeholder.NAME: name,
        Placeholder.ARGUMENTS: {"schema": schema},
        Placeholder.ID: _ID,
        Placeholder.INDEX: _INDEX,
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
    vocab: Vocab,
    tool_format: ToolFormat | None,
    reasoning_tags: ReasoningTags | None,
    content_tags: Sequence[ContentTags] = (),
) -> frozenset[int]:
    """Returns the control tokens that spell tags of calls and reasoning: other control tokens are not rendered as text.
    Never includes end-of-generation tokens."""
    texts = [
        *(tool_format.literals if tool_format else ()),
        *((reasoning_tags.start, reasoning_tags.end) if reasoning_tags else ()),
        *(text for tags in content_tags for text in (tags.start, tags.end)),
    ]
    tokens = {token for text in texts for token in vocab.tokenize(text, add_special=False, parse_special=True)}
    return frozenset(token for token in tokens - vocab.end_of_generation if vocab.is_control(token))
