"""Infers how a model writes arguments that are not one JSON object: calls with probe arguments are rendered, and the
text around their names and values is what the model has to write."""

import re
from dataclasses import replace

from grammar.call_arguments.syntax import CDATA_START, ArgumentSyntax, StringStyle
from server.chat.template.probe_turns import ProbeTurns, common_prefix, common_suffix
from server.chat.template.probes import CALLS
from slots.errors import InvalidRequest

NAME, VALUE = CALLS[0].argument, CALLS[0].value
OTHER_NAME, OTHER_VALUE = "straw_zeta", "hay zeta"
_OTHER_VALUES: dict[str, tuple[object, str]] = {
    "integer": (271828, "271828"),
    "number": (2.71828, r"2\.71828"),
    "boolean": (True, "true|True"),
    "null": (None, "null|None|none"),
    "object": ({"straw_key": 271828}, r"""\{\s*["']?straw_key"""),
    "array": ([271828, 314159], r"\[\s*271828"),
}
"""By kind: a value, and an expression for the beginning of its text."""


def infer_argument_syntax(turns: ProbeTurns) -> ArgumentSyntax | None:
    """Returns the syntax, or None if arguments are written in none that is known."""
    one = turns.of_arguments({NAME: VALUE}, VALUE)
    two = turns.of_arguments({NAME: VALUE, OTHER_NAME: OTHER_VALUE}, OTHER_VALUE)
    if one is None or two is None:
        return None
    syntax = _infer_from_strings(one, two)
    if syntax is None or not syntax.before_value.strip():
        return None
    return _with_other_kinds(syntax, turns)


def _infer_from_strings(one: str, two: str) -> ArgumentSyntax | None:
    """`one` and `two` are the turns of a call with one and with two arguments, which are strings."""
    found = re.search(f"{NAME}(.*?){VALUE}(.*){OTHER_NAME}(.*?){OTHER_VALUE}(.*)", two, re.DOTALL)
    before_first = one.partition(NAME)[0]
    if found is None or found[1] != found[3]:
        return None
    before_value, between, after_last = found[1], found[2], found[4]
    quote = _quote(before_value, between)
    before_value = before_value.removesuffix(quote)
    between, after_last = between.removeprefix(quote), after_last.removeprefix(quote)
    after_closing_name = None
    after, repeated, rest = between.partition(NAME)
    if repeated:
        last_after, _, last_rest = after_last.partition(OTHER_NAME)
        if last_after != after:
            return None
        after_closing_name = common_prefix(rest, last_rest)
        between = rest.removeprefix(after_closing_name)
    else:
        after = common_prefix(between, after_last)
        between = between.removeprefix(after)
    before_name = common_suffix(between, before_first)
    separator = between.removesuffix(before_name)
    strings: StringStyle = "python" if quote in ("'", '"') else "quoted" if quote else "raw"
    if not (after if strings == "raw" else after + separator).strip():
        return None
    return ArgumentSyntax(
        before_name,
        before_value,
        after,
        after_closing_name=after_closing_name,
        separator=separator,
        strings=strings,
        quote="" if strings == "python" else quote,
    )


def _quote(before: str, after: str) -> str:
    """Returns what is on both sides of a value; not what is a line break."""
    lengths = range(min(len(before), len(after)), 0, -1)
    same = next((after[:length] for length in lengths if before.endswith(after[:length])), "")
    return same if same in ("'", '"') or len(same.strip()) > 1 else ""


def _with_other_kinds(syntax: ArgumentSyntax, turns: ProbeTurns) -> ArgumentSyntax | None:
    """Adds what is before values that are no strings, where that differs, and how literals are spelled."""
    before_other: list[tuple[str, str]] = []
    for kind, (value, expression) in _OTHER_VALUES.items():
        turn = _turn_or_none(turns, {NAME: value})
        found = re.search(f"{NAME}(.*)({expression}).*{OTHER_NAME}", turn, re.DOTALL) if turn else None
        if found:
            before_other.append((kind, found[1]))
            if found[2] == "True":
                syntax = replace(syntax, has_python_literals=True)
    if any(text != syntax.before_value for _, text in before_other):
        syntax = replace(syntax, before_other=tuple(before_other))
    special = _turn_or_none(turns, {NAME: "<hay>\n&"})
    return replace(syntax, strings="cdata") if special and CDATA_START in special else syntax


def _turn_or_none(turns: ProbeTurns, arguments: dict[str, object]) -> str | None:
    """Returns the turn of a call, or None if the template does not write such arguments."""
    try:
        return turns.of_arguments({**arguments, OTHER_NAME: OTHER_VALUE}, OTHER_VALUE)
    except InvalidRequest:
        return None
