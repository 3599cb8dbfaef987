"""Infers how a model writes tool calls from its chat template: probe calls are rendered, and the text around their
names, arguments and ids is what the model has to write."""

import re
from collections.abc import Collection, Sequence
from itertools import takewhile
from json import JSONDecoder

from server.chat.template.probes import ANSWER, CALLS, CONTENT, USER, ProbeCall, call_message
from server.chat.template.template import ChatTemplate
from server.chat.tools.call_format import Pattern, Placeholder, ToolFormat
from slots.errors import InvalidRequest

_MAX_LITERAL = 200
"""Characters. Longer text belongs to something else than a call."""
_REASONING = re.compile(r"(<think>|\[THINK\])\s*((</think>|\[/THINK\])\s*)?$")
_UNITS = re.compile(r"<[^<>\s]*>|\[[A-Z_/]+\]|.", re.DOTALL)
"""Tags, which may be tokens and are not split, or single characters."""


def infer_tool_format(template: ChatTemplate, ends: Collection[str] = ()) -> ToolFormat | None:
    """Returns how calls are written after the template's generation prompt; `ends` are the texts of end-of-generation
    tokens. None if the template writes no calls, or their arguments otherwise than as one JSON object.

    For a worker thread.
    """
    if not template.capabilities.supports_tool_calls:
        return None
    counts = (1, 2, 3) if template.capabilities.supports_parallel_tool_calls else (1,)
    try:
        turns = [_render_turn(template, CALLS[:count], ends) for count in counts]
    except InvalidRequest:
        return None
    patterns = [
        None if turn is None else _to_pattern(turn, CALLS[:count]) for count, turn in zip(counts, turns, strict=True)
    ]
    single, *several = patterns
    if single is None:
        return None
    tool_format = _infer_parallel_format(single, several) or ToolFormat(call=_without_empty(single))
    return tool_format if _is_usable(tool_format) else None


def _render_turn(template: ChatTemplate, calls: Sequence[ProbeCall], ends: Collection[str]) -> str | None:
    """Returns the text that a model has to write for the calls; None if it is unknown where that text begins."""
    tools = [call.tool for call in CALLS]
    prompt = template.render([USER], tools=tools)
    answered = template.render([USER, ANSWER | {"content": CONTENT}], tools=tools, add_generation_prompt=False)
    called = template.render([USER, call_message(calls)], tools=tools, add_generation_prompt=False)
    before_answer, _, after_answer = answered.partition(CONTENT)
    prefixes = (prompt.rstrip(), _REASONING.sub("", prompt).rstrip(), before_answer.rstrip())
    matching = [prefix for prefix in prefixes if called.startswith(prefix)]
    if not matching:
        return None
    turn = called.removeprefix(max(matching, key=len)).removesuffix(after_answer)
    words = [word for call in CALLS for word in (call.name, call.call_id)]
    last = max(turn.rfind(word) for word in (*words, calls[-1].value))
    end = min((index for text in ends if text and (index := turn.find(text, last)) >= 0), default=len(turn))
    return turn[:end].strip()


def _to_pattern(turn: str, calls: Sequence[ProbeCall]) -> Pattern | None:
    """Returns the turn with placeholders, and literals first, last and between. None unless each name occurs once, each
    id at most once, and all arguments as JSON."""
    spans: list[tuple[int, int, Placeholder]] = []
    for call in calls:
        arguments, names, ids = _find_arguments(turn, call), _find_all(turn, call.name), _find_all(turn, call.call_id)
        if arguments is None or len(names) != 1 or len(ids) > 1:
            return None
        spans += [(*arguments, Placeholder.ARGUMENTS), (*names[0], Placeholder.NAME)]
        spans += [(*span, Placeholder.ID) for span in ids]
    pattern: list[str | Placeholder] = []
    position = 0
    for start, end, placeholder in sorted(spans, key=lambda span: span[0]):
        pattern += [turn[position:start], placeholder]
        position = end
    return (*pattern, turn[position:])


def _find_all(text: str, word: str) -> list[tuple[int, int]]:
    return [match.span() for match in re.finditer(word, text)]


def _find_arguments(text: str, call: ProbeCall) -> tuple[int, int] | None:
    """Returns the span of the call's arguments, if they are one JSON object."""
    start = text.rfind("{", 0, max(text.find(f'"{call.argument}"'), 0))
    try:
        value, end = JSONDecoder().raw_decode(text, start) if start >= 0 else (None, 0)
    except ValueError:
        return None
    return (start, end) if value == call.arguments else None


def _infer_parallel_format(single: Pattern, several: Sequence[Pattern | None]) -> ToolFormat | None:
    """Returns the format that writes the patterns of one, two and three calls; None if there is none."""
    double = several[0] if several else None
    if double is None or len(double) != 2 * len(single) - 1:
        return None
    first, last, between = single[0], single[-1], double[len(single) - 1]
    if not (isinstance(first, str) and isinstance(last, str) and isinstance(between, str)):
        return None
    before = _common_suffix(first, between)
    after = _common_prefix(last, between.removesuffix(before))
    tool_format = ToolFormat(
        call=_without_empty((before, *single[1:-1], after)),
        opening=first.removesuffix(before),
        separator=between.removesuffix(before).removeprefix(after),
        closing=last.removeprefix(after),
    )
    written = [_to_pattern(tool_format.write(_call_tuples(n)), CALLS[:n]) for n in (1, 2, 3)]
    return tool_format if written == [single, *several] else None


def _call_tuples(n_calls: int) -> list[tuple[str, str, str]]:
    return [(call.name, call.arguments_json, call.call_id) for call in CALLS[:n_calls]]


def _common_prefix(one: str, other: str) -> str:
    return "".join(_common_units(_UNITS.findall(one), _UNITS.findall(other)))


def _common_suffix(one: str, other: str) -> str:
    return "".join(_common_units(_UNITS.findall(one)[::-1], _UNITS.findall(other)[::-1])[::-1])


def _common_units(ours: Sequence[str], theirs: Sequence[str]) -> list[str]:
    pairs = zip(ours, theirs, strict=False)
    return [one for one, _ in takewhile(lambda pair: pair[0] == pair[1], pairs)]


def _without_empty(pattern: Pattern) -> Pattern:
    return tuple(part for part in pattern if part != "")


def _is_usable(tool_format: ToolFormat) -> bool:
    """Whether a call can be recognized by how it begins, and the end of a name or id by what follows it."""
    start = tool_format.first_call[0]
    after_words = [
        tool_format.call[index + 1 : index + 2]
        for index, part in enumerate(tool_format.call)
        if part in (Placeholder.NAME, Placeholder.ID)
    ]
    return (
        isinstance(start, str)
        and not start.replace(" ", "").isalnum()
        and all(text and isinstance(text[0], str) and not _is_name_character(text[0][0]) for text in after_words)
        and max(map(len, tool_format.literals)) <= _MAX_LITERAL
    )


def _is_name_character(character: str) -> bool:
    return character.isalnum() or character in "_-."
