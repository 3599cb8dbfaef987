"""Loosens a schema to the nearest one that can be a grammar: one keyword in one of forty tools must not refuse the
whole request. What is loosened is said in words."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from grammar.deep_stack import run_on_deep_stack
from grammar.errors import GrammarError
from grammar.json_schema.exact_integers import has_inexact_values
from grammar.json_schema.keyword_values import is_valid_value
from grammar.json_schema.schema import (
    ANNOTATIONS,
    FORMATS,
    SUPPORTED,
    schema_error,
    schema_to_rules,
)
from grammar.json_schema.subschemas import LISTED, NAMED, SINGLE, Schema, get_list, resolve_pointer
from grammar.lark import lark_grammar
from grammar.limits import MAX_DEPTH, PARSER_LIMITS
from grammar.regex import regex_to_rules

ANY_OBJECT = '{"type": "object"}'
_DEFINITIONS = ("$defs", "definitions")
PRODUCTS = ("pattern", "format", "multipleOf")
_CAN_HAVE_OTHERS = frozenset({"patternProperties", "$ref", "allOf", "anyOf", "oneOf"})
"""Keywords by which an object may have members besides its properties."""
MAX_NOTES = 8


@dataclass(frozen=True, slots=True)
class LooseSchema:
    text: str
    """JSON."""
    notes: tuple[str, ...]
    """What is not enforced, for the person who wrote the schema."""


@lru_cache(maxsize=512)  # an agent sends its tools with each turn
def loosen_schema(text: str) -> LooseSchema:
    """Returns a schema, given as JSON text of an object, as one that compiles and allows whatever it allows; the same
    text if that compiles."""
    reason = _compile_error(text)
    if reason is None:
        return LooseSchema(text, ())
    schema = json.loads(text)
    loosener = _Loosener(schema)
    try:
        loose = json.dumps(loosener.loosen(schema, "#", MAX_DEPTH))
    except GrammarError as error:
        return LooseSchema(ANY_OBJECT, (f"only an object is required: {error}",))
    if _compile_error(loose) is None:
        return LooseSchema(loose, tuple(loosener.notes[:MAX_NOTES]))
    weaker = json.dumps(_without_products(json.loads(loose)))
    if _compile_error(weaker) is None:
        return LooseSchema(weaker, (*loosener.notes[:MAX_NOTES], "patterns, formats and multiples are too many"))
    rest, notes = _without_faulty_properties(json.loads(loose))
    if _compile_error(rest) is None:
        return LooseSchema(rest, tuple([*loosener.notes, *notes][:MAX_NOTES]))
    return LooseSchema(ANY_OBJECT, (f"only an object is required: {reason}",))


def _without_faulty_properties(schema: dict[str, object]) -> tuple[str, list[str]]:
    """Returns a schema, as JSON text, in which properties that cannot be a grammar may have any value, and says which
    these are."""
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return json.dumps(schema), []
    definitions = {name: schema[name] for name in _DEFINITIONS if name in schema}
    notes, kept = [], {}
    for name, part in properties.items():
        alone = {"type": "object", "properties": {name: part}, "required": [name], **definitions}
        reason = _compile_error(json.dumps(alone))
        kept[name] = part if reason is None else {}
        if reason is not None:
            notes.append(f"#/properties/{name}: any value is allowed: {reason}")
    rest = schema | {"properties": kept}
    if '"$ref"' not in json.dumps({name: part for name, part in rest.items() if name not in _DEFINITIONS}):
        rest = {name: part for name, part in rest.items() if name not in _DEFINITIONS}
    return json.dumps(rest), notes


def _compile_error(text: str) -> str | None:
    """Returns why a schema cannot be a grammar, or None if it can."""
    try:
        message = _validate(schema_to_rules(text))
    except GrammarError as error:
        return str(error)
    return str(schema_error(message)) if message else None


def _validate(rules: str) -> str | None:
    from llguidance import LLMatcher, LLParserLimits  # noqa: PLC0415 - only chats with tools need the package

    lark, limits = lark_grammar(rules), LLParserLimits(**PARSER_LIMITS)
    return run_on_deep_stack(lambda: LLMatcher.validate_grammar(lark, None, limits=limits)) or None


@dataclass(slots=True)
class _Loosener:
    root: Schema
    notes: list[str] = field(default_factory=list)

    def loosen(self, schema: Schema, pointer: str, depth: int) -> Schema:
        if depth == 0:
            raise GrammarError(f"schemas are nested more than {MAX_DEPTH} deep")
        loose: dict[str, object] = {}
        for keyword, value in schema.items():
            if self._is_enforced(schema, keyword, value, pointer):
                name = "anyOf" if keyword == "oneOf" and "anyOf" not in schema else keyword
                loose[name] = self._loosen_parts(keyword, value, f"{pointer}/{keyword}", depth - 1)
        if has_inexact_values(schema):
            loose.setdefault("type", "integer")
        self._settle_required(loose, pointer)
        if schema.get("nullable") is True:
            return _or_null(loose)
        return loose

    def _settle_required(self, loose: dict[str, object], pointer: str) -> None:
        """Makes a closed object possible that requires what its properties do not have: such a member may have any
        value, or is not required if the schema forbids others."""
        properties, required = loose.get("properties"), get_list(loose, "required")
        if not isinstance(properties, dict) or not _CAN_HAVE_OTHERS.isdisjoint(loose):
            return
        unknown = [name for name in required if isinstance(name, str) and name not in properties]
        if loose.get("additionalProperties") not in (None, False) or not unknown:
            return
        self.notes.append(f'{pointer}: "required" names "{unknown[0]}", which "properties" does not')
        if loose.get("additionalProperties") is False:
            loose["required"] = [name for name in required if name not in unknown]
        else:
            loose["properties"] = properties | {name: {} for name in unknown}

    def _is_enforced(self, schema: Schema, keyword: str, value: object, pointer: str) -> bool:
        reason = self._reason_against(schema, keyword, value)
        if reason:
            self.notes.append(f"{pointer}: {reason}")
        return reason is None and (keyword in SUPPORTED or keyword in ANNOTATIONS)

    def _reason_against(self, schema: Schema, keyword: str, value: object) -> str | None:
        """Returns why a keyword is left out; None for one that stays, and for one that restricts nothing."""
        if not is_valid_value(keyword, value):
            return f'"{keyword}" cannot be {json.dumps(value)[:40]}'
        match keyword:
            case "format":
                return None if value in FORMATS else f'the format "{value}" is not enforced'
            case "pattern":
                return None if isinstance(value, str) and _can_match(value) else "the pattern is not enforced"
            case "patternProperties":
                if isinstance(value, Mapping) and all(map(_can_match, value)):
                    return None
                return "patternProperties are not enforced"
            case "const" | "enum":
                return "integers beyond 2^53 are not enforced" if has_inexact_values(schema) else None
            case "$ref":
                is_known = isinstance(value, str) and resolve_pointer(self.root, value) is not None
                return None if is_known else f'"$ref" to {value} is not enforced'
            case "nullable":
                return None
        is_known = keyword in SUPPORTED or keyword in ANNOTATIONS or keyword.startswith("x-")
        return None if is_known else f'"{keyword}" is not enforced'

    def _loosen_parts(self, keyword: str, value: object, pointer: str, depth: int) -> object:
        def loosen(part: object, name: object) -> object:
            if isinstance(part, Mapping):
                return self.loosen(part, f"{pointer}/{name}", depth)
            if isinstance(part, bool):
                return part
            self.notes.append(f"{pointer}/{name}: {json.dumps(part)[:40]} is no schema, so any value is allowed")
            return {}

        if keyword in NAMED and isinstance(value, Mapping):
            return {name: loosen(part, name) for name, part in value.items()}
        if keyword in LISTED and isinstance(value, list):
            parts = [part for part in value if not _is_nothing(part)] if keyword in ("anyOf", "oneOf") else value
            return [loosen(part, index) for index, part in enumerate(parts)]
        if keyword in SINGLE and isinstance(value, Mapping):
            return self.loosen(value, pointer, depth)
        return value


def _is_nothing(schema: object) -> bool:
    """Whether no value matches: zod writes {"not": {}} for undefined."""
    return schema is False or (isinstance(schema, Mapping) and schema.get("not") in ({}, True))


def _can_match(expression: str) -> bool:
    try:
        return _validate(regex_to_rules(expression)) is None
    except (GrammarError, ValueError):
        return False


def _or_null(schema: dict[str, object]) -> Schema:
    """Returns the schema with null as another value, as OpenAPI's `nullable` means it."""
    kind = schema.get("type")
    if isinstance(kind, str) and "enum" not in schema and "const" not in schema:
        return schema | {"type": [kind, "null"]}
    definitions = {name: schema.pop(name) for name in _DEFINITIONS if name in schema}
    return definitions | {"anyOf": [schema, {"type": "null"}]}


def _without_products(value: object) -> object:
    """Returns a schema without the keywords of which several at once take too much memory, at all levels."""
    if isinstance(value, list):
        return [_without_products(part) for part in value]
    if not isinstance(value, Mapping):
        return value
    return {name: _without_products(part) for name, part in value.items() if name not in PRODUCTS}
