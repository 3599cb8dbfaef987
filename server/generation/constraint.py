"""What the text of a completion has to match, in every spelling that a request may use."""

from collections.abc import Callable

import orjson

from grammar.errors import GrammarError
from grammar.matcher import CompiledGrammar
from grammar.source import GrammarSource
from server.http.fields import Fields, as_string, as_strings, invalid_value
from server.settings import Constraint
from slots.engine import Engine
from slots.errors import InvalidRequest

SCHEMA_SHAPES = "a JSON schema, which is an object or true"
FORMATS = '{"type": "text"}, {"type": "json_object"} or {"type": "json_schema", "json_schema": {"schema": ...}}'
ANY_OBJECT = GrammarSource("json_schema", '{"type":"object"}')

Reader = Callable[[str, object], GrammarSource | None]


def read_constraint(fields: Fields, default: Constraint | None) -> Constraint | None:
    """Returns what a request asks its text to match, or None for a text that is free. A request that says nothing about
    it gets the default.

    Raises InvalidRequest, which names the field, for a value of a wrong type, and for two fields that both ask for
    something; the grammar itself is looked at when it is compiled.
    """
    values = [(name, read, fields.get(name)) for name, read in READERS.items()]
    given = [(name, read(name, value)) for name, read, value in values if value is not None]
    asked = [Constraint(name, source) for name, source in given if source is not None]
    if len(asked) > 1:
        names = " and ".join(constraint.name for constraint in asked)
        raise InvalidRequest(names, "expected one of them, since a text can be made to match only one grammar")
    if asked:
        return asked[0]
    return None if given else default


def compile_constraint(constraint: Constraint, engine: Engine) -> CompiledGrammar:
    """Returns the grammar as `engine` takes it.

    Belongs to a worker thread: it may take a second. Raises InvalidRequest, which names the field or flag, for a
    grammar that cannot be used.
    """
    try:
        return engine.grammars.compile(constraint.source)
    except GrammarError as error:
        # What it quotes may have half of a surrogate pair in it, which no answer can hold.
        message = str(error).encode(errors="backslashreplace").decode()
        raise InvalidRequest(constraint.name, message) from None


def constraint_json(constraint: Constraint | None) -> dict[str, object]:
    """Returns the grammar by the name of the option that it is for, however it was spelled; `grammar` is always one."""
    shown: dict[str, object] = {"grammar": ""}
    if constraint is not None:
        kind, text = constraint.source.kind, constraint.source.text
        if kind == "gbnf":
            shown["grammar"] = text
        else:
            shown[kind] = text if kind == "regex" else _on_one_line(text)
    return shown


def _on_one_line(text: str) -> orjson.Fragment:
    """JSON as it was sent: events are lines."""
    return orjson.Fragment(text.replace("\n", " ").replace("\r", " "))


def _as_gbnf(name: str, value: object) -> GrammarSource | None:
    text = as_string(name, value)
    return GrammarSource("gbnf", text) if text else None


def _as_regex(name: str, value: object) -> GrammarSource:
    return GrammarSource("regex", as_string(name, value))


def _as_choice(name: str, value: object) -> GrammarSource:
    return GrammarSource("choice", orjson.dumps(as_strings(name, value)).decode())


def _as_schema(name: str, value: object, shapes: str = SCHEMA_SHAPES) -> GrammarSource:
    if not isinstance(value, dict | bool):
        raise invalid_value(name, shapes, value)
    try:
        return GrammarSource("json_schema", orjson.dumps(value).decode())
    except orjson.JSONEncodeError:
        raise invalid_value(name, "a JSON schema that is less deep", value) from None


def _as_schema_or_text(name: str, value: object) -> GrammarSource:
    if isinstance(value, str):
        return GrammarSource("json_schema", value)
    return _as_schema(name, value, f"{SCHEMA_SHAPES}, or the text of one")


def _as_response_format(name: str, value: object) -> GrammarSource | None:
    if not isinstance(value, dict):
        raise invalid_value(name, FORMATS, value)
    match value.get("type"):
        case "text":
            return None
        case "json_object":
            return _object(f"{name}.schema", value.get("schema"))
        case "json_schema":
            return _wrapped_schema(f"{name}.json_schema", value.get("json_schema"))
    raise invalid_value(name, FORMATS, value)


def _object(name: str, schema: object) -> GrammarSource:
    """A schema that says nothing still leaves it an object."""
    source = ANY_OBJECT if schema is None else _as_schema(name, schema)
    return ANY_OBJECT if source.text in ("{}", "true") else source


def _wrapped_schema(name: str, wrapper: object) -> GrammarSource:
    if not isinstance(wrapper, dict):
        raise invalid_value(name, "an object with schema", wrapper)
    return _as_schema(f"{name}.schema", wrapper.get("schema"))


READERS: dict[str, Reader] = {
    "grammar": _as_gbnf,
    "json_schema": _as_schema,
    "regex": _as_regex,
    "choice": _as_choice,
    "response_format": _as_response_format,
    "guided_json": _as_schema_or_text,
    "guided_regex": _as_regex,
    "guided_choice": _as_choice,
    "guided_grammar": _as_gbnf,
}
"""By the name of the field; None is what asks for nothing."""
