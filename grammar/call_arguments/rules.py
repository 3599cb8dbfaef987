"""Rules of a grammar for the arguments of a tool's calls, in a model's own syntax."""

import json
from collections.abc import Callable, Sequence
from itertools import count

from grammar.call_arguments.objects import Argument, Arguments, read_arguments
from grammar.call_arguments.strings import Strings, expressions_of
from grammar.call_arguments.syntax import CDATA_END, CDATA_START, ArgumentSyntax, spaced_parts
from grammar.call_arguments.values import Value
from grammar.json_schema.schema import schema_to_value
from grammar.rule_writer import ANYTHING, SOME_SPACE, RuleWriter

_NAME = r"[A-Za-z0-9_.-]{1,64}"
_SINGLE_QUOTED = r"\u{27}([^\u{27}\\]|\\(?s:.))*\u{27}"
_PYTHON_LITERALS = {"boolean": "/True|False|true|false/", "null": "/None|null/"}
_PLAIN_IN_XML = r"[^<&\n]*"


class ArgumentRules:
    """Adds rules to a grammar, each with a name of its own."""

    def __init__(self, writer: RuleWriter, syntax: ArgumentSyntax) -> None:
        self._writer = writer
        self._syntax = syntax
        self._numbers = count()

    def add(self, name: str, schema: str) -> None:
        """Adds the rule `name` for the arguments that a schema, as JSON text, describes. Raises GrammarError for a
        part of the schema that cannot be used."""
        alternatives = read_arguments(schema, has_bare_strings=self._syntax.has_bare_strings)
        self._writer.add(name, " | ".join(self._arguments(arguments) for arguments in alternatives))

    def _arguments(self, arguments: Arguments) -> str:
        named = [self._named(argument) for argument in arguments.named]
        is_required = [argument.is_required for argument in arguments.named]
        other = self._other(arguments) if arguments.others else None
        if self._syntax.separator.strip():
            return self._separated(named, is_required, other, self._separator())
        parts = [rule if needed else f"{rule}?" for rule, needed in zip(named, is_required, strict=True)]
        parts += [f"{other}*"] if other else []
        return " ".join(parts) or '""'

    def _separator(self) -> str:
        return self._writer.sequence([None, self._syntax.separator.strip(), None])

    def _separated(self, named: Sequence[str], is_required: Sequence[bool], other: str | None, separator: str) -> str:
        """Returns a rule for a list with separators. Its first item is one of those up to the first that is
        required."""
        end = self._rule(f"({separator} {other})*" if other else '""')
        alternatives = [f"{other} {end}", '""'] if other else ['""']
        following = end
        for rule, needed in zip(reversed(named), reversed(is_required), strict=True):
            first, later = f"{rule} {following}", f"{separator} {rule} {following}"
            alternatives = [first] if needed else [first, *alternatives]
            following = self._rule(later if needed else f"{later} | {following}")
        return self._rule(" | ".join(alternatives))

    def _named(self, argument: Argument) -> str:
        before = [None, self._syntax.before_name.lstrip(), argument.name]
        return self._argument(self._writer.sequence(before), argument.value, self._syntax.after(argument.name))

    def _other(self, arguments: Arguments) -> str | None:
        """Returns a rule for an argument with another name; None if its name has to be written twice."""
        if self._syntax.after_closing_name is not None or arguments.others is None:
            return None
        name = self._new("name").upper()
        known = [self._writer.pattern([argument.name]) for argument in arguments.named]
        self._writer.add(name, f"/{_NAME}/" + (f" & ~/{'|'.join(known)}/" if known else ""))
        before = self._writer.sequence([None, self._syntax.before_name.lstrip()]) if self._syntax.before_name else ""
        return self._argument(f"{before} {name}", arguments.others, self._syntax.after_value)

    def _argument(self, start: str, value: Value, end: str) -> str:
        """Returns a rule for an argument that begins with `start`, up to the end of its value."""
        texts: dict[str, list[str]] = {}
        for before, rule in self._values(value, end):
            texts.setdefault(before, []).append(rule)
        alternatives = [
            f"{self._writer.sequence(spaced_parts(before)) if before.strip() else ''} ({' | '.join(rules)})"
            for before, rules in texts.items()
        ]
        return self._rule(f"{start} ({' | '.join(alternatives)}) {SOME_SPACE}")

    def _values(self, value: Value, end: str) -> list[tuple[str, str]]:
        """Returns the alternatives of a value: each as what is before it and a rule for the rest, with its end."""
        syntax = self._syntax
        if not value.is_split:
            return [(syntax.before("object"), self._json(value.schema, end))]
        alternatives: list[tuple[str, str]] = []
        if value.strings is not None:
            alternatives += [(syntax.before("string"), rule) for rule in self._strings(value, value.strings, end)]
        by_text: dict[str, list[tuple[str, object]]] = {}
        for kind, schema in value.others:
            if syntax.has_python_literals and kind in _PYTHON_LITERALS and schema == {"type": kind}:
                literal = f"{SOME_SPACE} {_PYTHON_LITERALS[kind]} {self._end(end)}"
                alternatives.append((syntax.before(kind), literal))
            else:
                by_text.setdefault(syntax.before(kind), []).append((kind, schema))
        for before, schemas in by_text.items():
            parts = [schema for _, schema in schemas]
            schema = parts[0] if len(parts) == 1 else _any_of(parts)
            alternatives.append((before, self._json(json.dumps(schema), end)))
        return alternatives

    def _json(self, schema: str, end: str) -> str:
        rule = self._new("json")
        self._writer.add(rule, schema_to_value(schema))
        return f"{SOME_SPACE} {rule} {self._end(end)}"

    def _end(self, end: str) -> str:
        return self._writer.sequence([None, end.strip()]) if end.strip() else ""

    def _strings(self, value: Value, strings: Strings, end: str) -> list[str]:
        match self._syntax.strings:
            case "python":
                return self._python_strings(strings, end)
            case "quoted":
                quote = self._syntax.quote
                return [f"{self._writer.sequence([quote])} {self._bare(strings, '', quote)} {self._end(end)}"]
            case "cdata":
                plain = self._text(lambda name: self._writer.add_bounded(name, "", end.rstrip(), [_PLAIN_IN_XML]))
                wrapped = self._bare(strings, "", CDATA_END)
                others = [plain] if strings.are_free else [self._bare(strings, "", end.rstrip())]
                return [*others, f"{self._writer.sequence([CDATA_START])} {wrapped} {self._end(end)}"]
            case "raw":
                is_object = bool({"object", "array"} & value.kinds) and not self._syntax.tells_kinds
                return [self._bare(strings, self._space_before_value, end.rstrip(), is_object=is_object)]

    @property
    def _space_before_value(self) -> str:
        before = self._syntax.before_value
        return before[len(before.rstrip()) :]

    def _bare(self, strings: Strings, space: str, end: str, *, is_object: bool = False) -> str:
        """Returns a rule for a string without quotes, and its end. White space around a free one may be left out: the
        parser removes just what belongs to the format. `is_object` keeps a string from looking like an object."""
        if strings.are_free:
            start = rf"(\s*[^\[{{\s]{ANYTHING}|\s*)" if is_object else ANYTHING
            return self._text(lambda name: self._writer.add_free(name, start, end.strip()))
        expressions = [_lark(expression) for expression in expressions_of(strings)]
        return self._text(lambda name: self._writer.add_bounded(name, space, end, expressions))

    def _python_strings(self, strings: Strings, end: str) -> list[str]:
        """Returns rules for strings in either kind of quotes: those in double quotes are JSON's, too."""
        if strings.values is not None:
            schema: dict[str, object] = {"enum": list(strings.values)}
            plain = [text for text in strings.values if not {"'", "\\", "\n"} & set(text)]
            singles = [f"/{self._writer.pattern([repr_single(text)])}/" for text in plain]
        else:
            schema = _string_schema(strings)
            singles = [f"/{_SINGLE_QUOTED}/"] if strings.are_free else []
        return [self._json(json.dumps(schema), end), *(f"{single} {self._end(end)}" for single in singles)]

    def _text(self, add: Callable[[str], None]) -> str:
        name = self._new("text")
        add(name)
        return name

    def _rule(self, definition: str) -> str:
        name = self._new("argument")
        self._writer.add(name, definition)
        return name

    def _new(self, kind: str) -> str:
        return f"{kind}_{next(self._numbers)}"


def repr_single(text: str) -> str:
    return f"'{text}'"


def _any_of(schemas: Sequence[object]) -> object:
    """Returns one schema for several, which may have the same definitions."""
    definitions = next((schema["$defs"] for schema in schemas if isinstance(schema, dict) and "$defs" in schema), None)
    parts = [
        {name: part for name, part in schema.items() if name != "$defs"} if isinstance(schema, dict) else schema
        for schema in schemas
    ]
    return {"anyOf": parts} if definitions is None else {"anyOf": parts, "$defs": definitions}


def _string_schema(strings: Strings) -> dict[str, object]:
    members = {"pattern": strings.pattern, "format": strings.format, "maxLength": strings.max_length}
    given = {name: value for name, value in members.items() if value is not None}
    return {"type": "string", **given, **({"minLength": strings.min_length} if strings.min_length else {})}


def _lark(expression: str) -> str:
    """Returns an expression in Lark's notation, without slashes around it."""
    from llguidance import regex_to_lark  # noqa: PLC0415 - only tools in such a format need the package

    return str(regex_to_lark(expression))
