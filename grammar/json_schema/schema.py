"""JSON Schema as llguidance supports it. Keywords that it would ignore are refused."""

import json
import re
from typing import NoReturn

from grammar.errors import GrammarError
from grammar.json_schema import exact_integers
from grammar.json_schema.checks import check_completable, check_intersections, check_numbers
from grammar.json_schema.closed_objects import close_objects
from grammar.json_schema.exact_integers import needs_rules
from grammar.json_schema.subschemas import Schema, subschemas
from grammar.limits import MAX_DEPTH
from grammar.regex import expression_error

SUPPORTED = frozenset(
    {
        "$anchor",
        "$defs",
        "$id",
        "$ref",
        "$schema",
        "additionalItems",
        "additionalProperties",
        "allOf",
        "anyOf",
        "const",
        "definitions",
        "enum",
        "exclusiveMaximum",
        "exclusiveMinimum",
        "format",
        "id",
        "items",
        "maxItems",
        "maxLength",
        "maxProperties",
        "maximum",
        "minItems",
        "minLength",
        "minProperties",
        "minimum",
        "multipleOf",
        "oneOf",
        "pattern",
        "patternProperties",
        "prefixItems",
        "properties",
        "required",
        "type",
    }
)
ANNOTATIONS = frozenset(
    {
        "$comment",
        "contentEncoding",
        "contentMediaType",
        "contentSchema",
        "default",
        "deprecated",
        "description",
        "discriminator",
        "example",
        "examples",
        "readOnly",
        "title",
        "writeOnly",
    }
)
"""Keywords that do not restrict values."""
FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid", "uri"})
_OPTIONS = {"lenient": False, "coerce_one_of": False, "whitespace_pattern": r"\x20|\n[\x20\t]{0,20}"}
"""Between the parts of a value, no white space, one space, or a newline with indentation is allowed: a model that may
write any number of spaces sometimes never stops."""

_UNSATISFIABLE = "Unsatisfiable schema: "
_UNKNOWN_FORMAT = re.compile(r"Unknown format: (.*)")
_UNKNOWN_POINTER = re.compile(r"Pointer '(.*)' does not exist")
_EXTERNAL_REFERENCE = re.compile(r"Resource '(.*?)' is not present in a registry.*")
_EMPTY_EXPRESSION = re.compile(r"Regex is empty: .*")
_UNDECIDED = re.compile(r"Unable to determine if regex is empty: .*")
_ONE_OF = "oneOf constraints are not supported"


def schema_to_rules(text: str) -> str:
    """Returns rules in Lark's syntax. Raises GrammarError as `schema_to_value` does."""
    return f"start: {schema_to_value(text)}"


def schema_to_value(text: str) -> str:
    """Returns an expression for a Lark rule that matches the values of a schema, given as JSON text.

    Raises GrammarError if the text is not JSON, for a duplicate member, for a keyword that is not supported, for a part
    of the schema that requires itself, so that no finite value matches it, and for what exceeds a limit.
    """
    schema = _parse(text)
    if schema is False:
        raise GrammarError("nothing can satisfy the schema: it is false")
    if schema is True:
        schema, text = {}, "{}"
    if not isinstance(schema, dict):
        raise GrammarError(f"a schema is an object, or true or false, got {json.dumps(schema)[:40]}")
    for pointer, part in subschemas(schema, MAX_DEPTH):
        _check_keywords(pointer, part)
    check_numbers(schema)
    check_completable(schema)
    check_intersections(schema)
    closed = close_objects(schema)
    if needs_rules(closed):
        return exact_integers.schema_to_rules(closed, _OPTIONS, ANNOTATIONS)
    # Otherwise the text is passed on, so that numbers keep their spelling.
    members = (text if closed == schema else json.dumps(closed)).strip()[1:]
    return f'%json {{"x-guidance": {json.dumps(_OPTIONS)}{"," if schema else ""}{members}'


def schema_error(message: str) -> GrammarError:
    """Rewords an error message of llguidance for the person who wrote the schema."""
    reason = expression_error(message).removeprefix("failed to compile JSON schema: ")
    if reason.startswith(_UNSATISFIABLE):
        cause = _EMPTY_EXPRESSION.sub("no string has this pattern, format and length", reason)
        return GrammarError(f"nothing can satisfy the schema: {cause.removeprefix(_UNSATISFIABLE)}")
    if reason.startswith(_ONE_OF):
        reason = '"oneOf" is supported only where no value can match two of its schemas by their form; use "anyOf"'
    reason = _UNDECIDED.sub("the patterns, format and length of a string are too complex together", reason)
    reason = _UNKNOWN_POINTER.sub(r'there is no "#\1" that "$ref" could refer to', reason)
    reason = _EXTERNAL_REFERENCE.sub(r'"$ref" refers to \1, which is not in the schema', reason)
    reason = _UNKNOWN_FORMAT.sub(r'the format "\1" is not supported', reason)
    return GrammarError(f"the schema cannot be used: {reason}")


def _parse(text: str) -> object:
    try:
        parsed: object = json.loads(text, object_pairs_hook=_unique_members, parse_constant=_reject_constant)
    except (ValueError, RecursionError) as error:
        raise GrammarError(f"the schema is not JSON: {error}") from None
    return parsed


def _unique_members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise GrammarError(f'the schema has "{twice}" twice in one object')
    return members


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _check_keywords(pointer: str, schema: Schema) -> None:
    for keyword in schema:
        is_annotation = keyword in ANNOTATIONS or (keyword.startswith("x-") and keyword != "x-guidance")
        if keyword not in SUPPORTED and not is_annotation:
            raise GrammarError(f'the keyword "{keyword}" of the schema, at {pointer}, is not supported')
