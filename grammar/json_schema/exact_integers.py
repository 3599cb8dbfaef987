"""Exact integers: a grammar for schemas with integers that a float of 64 bits does not hold.

llguidance computes with such floats, and would give another integer. The parts of a schema on the way to such an
integer become rules of a nested grammar in Lark's syntax, and all others stay JSON schemas for llguidance.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from grammar.errors import GrammarError
from grammar.json_schema.integer_range import range_to_regex
from grammar.json_schema.subschemas import Schema, escape, get_list, resolve_pointer, subschemas
from grammar.lark import EMPTY, lark_text
from grammar.limits import MAX_DEPTH

MAX_EXACT_INTEGER = 2**53
MAX_BOUND = 2**64
BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
DEFINITIONS = ("$defs", "definitions")
_COLON, _COMMA = 'SPACE? ":" SPACE?', 'SPACE? "," SPACE?'
_OPEN_OBJECT, _CLOSE_OBJECT = '"{" SPACE?', 'SPACE? "}"'
_OPEN_ARRAY, _CLOSE_ARRAY = '"[" SPACE?', 'SPACE? "]"'
"""White space is spelled out: what a grammar ignores is not ignored in front of one that is nested in it."""
_OF_NAMES = frozenset({*DEFINITIONS, "$schema", "$id", "id", "$anchor"})
_TYPES: Mapping[str, tuple[type, ...]] = {
    "integer": (int,),
    "number": (int, float),
    "string": (str,),
    "boolean": (bool,),
    "null": (type(None),),
    "object": (dict,),
    "array": (list,),
}


def has_inexact_values(schema: Schema) -> bool:
    """Whether "const" or "enum" of a schema hold an integer that a float of 64 bits does not."""
    return any(map(_is_inexact, _values(schema)))


def has_large_bounds(schema: Schema) -> bool:
    """Whether bounds of a schema for integers may be rounded."""
    kind = schema.get("type")
    is_of_integers = kind == "integer" or (isinstance(kind, list) and "integer" in kind and "number" not in kind)
    bounds = [schema.get(name) for name in BOUNDS]
    return is_of_integers and any(
        isinstance(bound, int) and MAX_EXACT_INTEGER < abs(bound) <= MAX_BOUND for bound in bounds
    )


def needs_rules(schema: Schema) -> bool:
    """Whether a part of a schema holds an integer that llguidance would round."""
    return any(has_inexact_values(part) or has_large_bounds(part) for _, part in subschemas(schema, MAX_DEPTH))


def schema_to_rules(schema: Schema, options: Mapping[str, object], annotations: Iterable[str]) -> str:
    """Returns an expression for a Lark rule that matches the values of a schema whose objects are closed.

    `options` are llguidance's for JSON, and `annotations` the keywords that restrict nothing. Raises GrammarError for
    an integer in a part that can be no rule.
    """
    return _Rules(schema, options, annotations).nested_grammar()


def _values(schema: Schema) -> list[object]:
    return [*([schema["const"]] if "const" in schema else []), *get_list(schema, "enum")]


def _is_inexact(value: object) -> bool:
    if isinstance(value, dict | list):
        return any(map(_is_inexact, value.values() if isinstance(value, dict) else value))
    return isinstance(value, int) and abs(value) > MAX_EXACT_INTEGER and int(float(value)) != value


class _NoRules(Exception):
    """A schema with keywords for which there are no rules."""


class _Rules:
    """Rules by the parts of one schema, which are named by their JSON pointers."""

    def __init__(self, root: Schema, options: Mapping[str, object], annotations: Iterable[str]) -> None:
        self._root = root
        self._options = options
        self._ignored = _OF_NAMES.union(annotations)
        self._lines: list[str] = []
        self._names: dict[str, str] = {}

    def nested_grammar(self) -> str:
        start = self._value(self._root, "#")
        lines = [f"start: {start}", f"SPACE: /{self._options['whitespace_pattern']}/", *self._lines]
        return "%lark {\n" + "\n".join(lines) + "\n}"

    def _value(self, schema: object, pointer: str) -> str:
        """Returns an expression for the values of a part."""
        if not isinstance(schema, Mapping) or not self._needs_rules(schema):
            return self._json(schema)
        if pointer not in self._names:
            self._names[pointer] = name = f"value_{len(self._names)}"
            try:
                body = self._body(schema, pointer)
            except _NoRules:
                if self._has_inexact_values(schema):
                    message = f"integers beyond {MAX_EXACT_INTEGER} would be rounded, use a string"
                    raise GrammarError(
                        f'"const" or "enum" of the schema, at {pointer} or below, cannot be used: {message}'
                    ) from None
                body = self._json(schema)
            self._lines.append(f"{name}: {body}")
        return self._names[pointer]

    def _body(self, schema: Schema, pointer: str) -> str:
        """Raises _NoRules."""
        keywords = {keyword for keyword in schema if keyword not in self._ignored and not keyword.startswith("x-")}
        if "const" in keywords or "enum" in keywords:
            return self._constants(schema, keywords)
        if keywords == {"$ref"}:
            reference = str(schema["$ref"])
            return self._value(resolve_pointer(self._root, reference), reference)
        for keyword in ("anyOf", "allOf"):
            parts = get_list(schema, keyword)
            if keywords == {keyword} and parts and (keyword == "anyOf" or len(parts) == 1):
                return " | ".join(self._value(part, f"{pointer}/{keyword}/{n}") for n, part in enumerate(parts))
        if types := get_list(schema, "type"):
            return " | ".join(self._value(_of_type(schema, kind), f"{pointer}#{kind}") for kind in types)
        match schema.get("type"):
            case "integer" if keywords <= {"type", *BOUNDS}:
                return _integers(schema)
            case "object" if keywords <= {"type", "properties", "required", "additionalProperties"}:
                return self._object(schema, pointer)
            case "array" if keywords <= {"type", "items", "prefixItems", "additionalItems", "minItems", "maxItems"}:
                return self._array(schema, pointer)
        raise _NoRules

    def _constants(self, schema: Schema, keywords: set[str]) -> str:
        if not keywords <= {"const", "enum", "type"}:
            raise _NoRules
        allowed = _allowed_types(schema)
        values = [value for value in _values(schema) if _is_of(value, allowed)]
        if "const" in schema and "enum" in schema:
            values = [schema["const"]] if schema["const"] in get_list(schema, "enum") else []
        if not values:
            raise GrammarError("nothing can satisfy the schema: no constant has its type")
        return " | ".join(map(self._constant, values))

    def _constant(self, value: object) -> str:
        if isinstance(value, dict):
            members = [f"{_key(name)} {self._constant(each)}" for name, each in value.items()]
            return f"{_OPEN_OBJECT} {_joined(members)} {_CLOSE_OBJECT}"
        if isinstance(value, list):
            return f"{_OPEN_ARRAY} {_joined(map(self._constant, value))} {_CLOSE_ARRAY}"
        if isinstance(value, int) and not isinstance(value, bool):
            return f'"{value}"'
        return self._json({"const": value})

    def _object(self, schema: Schema, pointer: str) -> str:
        properties, others = schema.get("properties", {}), schema.get("additionalProperties", True)
        required = set(get_list(schema, "required"))
        if not isinstance(properties, Mapping) or not required <= properties.keys():
            raise _NoRules
        if not properties:
            value = self._value(others, f"{pointer}/additionalProperties")
            member = f"{self._json({'type': 'string'})} {_COLON} {value}"
            return f"{_OPEN_OBJECT} ({member} ({_COMMA} {member})*)? {_CLOSE_OBJECT}"
        if others is not False:
            raise _NoRules
        first, later = EMPTY, EMPTY
        for number, (name, part) in reversed([*enumerate(properties.items())]):
            member = f"{_key(name)} {self._value(part, f'{pointer}/properties/{escape(name)}')}"
            rule = f"{self._names[pointer]}_{number}"
            is_required = name in required
            repeat = "" if is_required else "?"
            self._lines.append(f"{rule}_later: ({_COMMA} {member}){repeat} {later}")
            self._lines.append(f"{rule}_first: {member} {later}" + ("" if is_required else f" | {first}"))
            first, later = f"{rule}_first", f"{rule}_later"
        return f"{_OPEN_OBJECT} {first} {_CLOSE_OBJECT}"

    def _array(self, schema: Schema, pointer: str) -> str:
        items, prefix = schema.get("items", True), get_list(schema, "prefixItems")
        if isinstance(items, list):
            prefix, items = items, schema.get("additionalItems", True)
        low, high = schema.get("minItems", 0), schema.get("maxItems")
        if not isinstance(low, int) or not (high is None or isinstance(high, int)) or (high is not None and low > high):
            raise _NoRules
        parts = [self._value(part, f"{pointer}/prefixItems/{number}") for number, part in enumerate(prefix[:high])]
        n_more = None if high is None else high - len(parts)
        rest = ""
        if items is not False and n_more != 0:
            least = max(low - len(parts), 0)
            item = self._value(items, f"{pointer}/items")
            rest = _repeated(item, least, n_more, has_before=bool(parts))
        elif low > len(parts):
            raise _NoRules
        for number, part in reversed([*enumerate(parts)]):
            comma = _COMMA if number else ""
            rest = f"{comma} {part} {rest}" if number < low else f"({comma} {part} {rest})?"
        return f"{_OPEN_ARRAY} {rest} {_CLOSE_ARRAY}"

    def _json(self, schema: object) -> str:
        """Returns an expression for a part that is left to llguidance."""
        part: dict[str, object] = {"x-guidance": self._options}
        if schema is False:
            part |= {"anyOf": []}
        elif isinstance(schema, Mapping):
            has_references = any("$ref" in each for _, each in subschemas(schema, MAX_DEPTH))
            part |= {"$defs": {"root": _below_root(self._root)}, **_below_root(schema)} if has_references else schema
        return f"%json {json.dumps(part)}"

    def _needs_rules(self, schema: Schema) -> bool:
        return any(has_inexact_values(part) or has_large_bounds(part) for part in self._reachable(schema))

    def _has_inexact_values(self, schema: Schema) -> bool:
        return any(map(has_inexact_values, self._reachable(schema)))

    def _reachable(self, schema: Schema) -> Iterator[Schema]:
        """Yields the parts of a schema, and those that it refers to."""
        seen: set[str] = set()
        waiting: list[Schema] = [schema]
        while waiting:
            for pointer, part in subschemas(waiting.pop(), MAX_DEPTH):
                if pointer.startswith(tuple(f"#/{name}/" for name in DEFINITIONS)):
                    continue
                yield part
                reference = part.get("$ref")
                if isinstance(reference, str) and reference not in seen:
                    seen.add(reference)
                    target = resolve_pointer(self._root, reference)
                    waiting += [target] if isinstance(target, Mapping) else []


def _of_type(schema: Schema, kind: object) -> Schema:
    """Returns a schema for the values of one of its types, without bounds if these are no numbers."""
    unused = () if kind in ("integer", "number") else BOUNDS
    return {**{name: value for name, value in schema.items() if name not in unused}, "type": kind}


def _integers(schema: Schema) -> str:
    bounds = {name: schema.get(name) for name in BOUNDS}
    if any(bound is not None and (not isinstance(bound, int) or abs(bound) > MAX_BOUND) for bound in bounds.values()):
        raise _NoRules
    lows = [_number(bounds["minimum"], 0), _number(bounds["exclusiveMinimum"], 1)]
    highs = [_number(bounds["maximum"], 0), _number(bounds["exclusiveMaximum"], -1)]
    low = max((bound for bound in lows if bound is not None), default=None)
    high = min((bound for bound in highs if bound is not None), default=None)
    expression = range_to_regex(low, high)
    if expression is None:
        raise GrammarError(f"nothing can satisfy the schema: there is no integer from {low} to {high}")
    return f"/{expression}/"


def _number(bound: object, difference: int) -> int | None:
    return bound + difference if isinstance(bound, int) and not isinstance(bound, bool) else None


def _allowed_types(schema: Schema) -> Sequence[object]:
    kind = schema.get("type")
    return list(_TYPES) if kind is None else kind if isinstance(kind, list) else [kind]


def _is_of(value: object, kinds: Sequence[object]) -> bool:
    def matches(kind: object) -> bool:
        is_boolean = isinstance(value, bool)
        return isinstance(value, _TYPES.get(str(kind), ())) and is_boolean == (kind == "boolean")

    return any(map(matches, kinds))


def _key(name: str) -> str:
    return f"{lark_text(json.dumps(name, ensure_ascii=False))} {_COLON}"


def _joined(parts: Iterable[str]) -> str:
    return f" {_COMMA} ".join(parts)


def _repeated(item: str, low: int, high: int | None, *, has_before: bool) -> str:
    """Returns an expression for `low` to `high` items, with commas between them and, if there are others, before."""
    if has_before:
        return f"({_COMMA} {item}){{{low},{'' if high is None else high}}}"
    more = f"({_COMMA} {item}){{{max(low - 1, 0)},{'' if high is None else high - 1}}}"
    return f"{item} {more}" if low else f"({item} {more})?"


def _below_root(schema: Schema) -> dict[str, object]:
    """Returns a part with references into the schema that is at "#/$defs/root" then."""
    moved: dict[str, object] = json.loads(json.dumps(schema))
    for _, part in subschemas(moved, MAX_DEPTH):
        reference = part.get("$ref")
        if isinstance(reference, str) and reference.startswith("#"):
            assert isinstance(part, dict)
            part["$ref"] = f"#/$defs/root{reference[1:]}"
    return moved
