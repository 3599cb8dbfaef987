"""How a model writes calls, learned from its chat template: calls with names and arguments that nothing else has are
rendered, and the text around those is what the model would have to write."""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from itertools import takewhile

from server.chat.messages import Json, Message
from server.chat.template.template import ChatTemplate
from server.chat.tools.call_format import Pattern, Placeholder, ToolFormat
from slots.errors import InvalidRequest

_NAMES = ("needle_alpha", "needle_gamma", "needle_omega")
_ARGUMENTS = ({"straw_one": "hay one"}, {"straw_two": "hay two"}, {"straw_three": "hay three"})
_IDS = ("nEEdle001", "nEEdle002", "nEEdle003")
"""Nine letters and digits: some templates refuse any other id."""
_MAX_LITERAL = 200
_CONTENT = "NeedleContent"
_HELLO: Message = {"role": "user", "content": "Hello"}
_THOUGHTS = re.compile(r"(<think>|\[THINK\])\s*((</think>|\[/THINK\])\s*)?$")
_UNITS = re.compile(r"<[^<>\s]*>|\[[A-Z_/]+\]|.", re.DOTALL)
"""What is not to be cut: tags, which may be tokens."""


def infer_tool_format(template: ChatTemplate, ends: Collection[str] = ()) -> ToolFormat | None:
    """Returns how calls are written after the generation prompt of a template; `ends` are the texts of the tokens that
    end a generation.

    None if the template shows no calls, or shows their arguments otherwise than as one JSON object. Belongs to a worker
    thread.
    """
    if not template.capabilities.supports_tool_calls:
        return None
    counts = (1, 2, 3) if template.capabilities.supports_parallel_tool_calls else (1,)
    try:
        turns = [_render_calls(template, n_calls, ends) for n_calls in counts]
    except InvalidRequest:
        return None
    single, *several = [None if turn is None else _to_pattern(turn, n) for n, turn in zip(counts, turns, strict=True)]
    if single is None:
        return None
    found = _infer_parallel_format(single, several) or ToolFormat(call=_without_empty(single))
    return found if _is_usable(found) else None


def _render_calls(template: ChatTemplate, n_calls: int, ends: Collection[str]) -> str | None:
    """What a model writes to call tools; None if it is not known where that begins."""
    tools = [_tool(name) for name in _NAMES]
    asked = template.render([_HELLO], tools=tools)
    plain = template.render(
        [_HELLO, {"role": "assistant", "content": _CONTENT}], tools=tools, add_generation_prompt=False
    )
    said = template.render([_HELLO, _calling(n_calls)], tools=tools, add_generation_prompt=False)
    before, _, after = plain.partition(_CONTENT)
    known = (asked.rstrip(), _THOUGHTS.sub("", asked).rstrip(), before.rstrip())
    beginnings = [text for text in known if said.startswith(text)]
    if not beginnings:
        return None
    turn = said.removeprefix(max(beginnings, key=len)).removesuffix(after)
    last = max(turn.rfind(needle) for needle in (*_NAMES, *_IDS, _last_value(n_calls)))
    end = min((place for text in ends if text and (place := turn.find(text, last)) >= 0), default=len(turn))
    return turn[:end].strip()


def _infer_parallel_format(single: Pattern, several: Sequence[Pattern | None]) -> ToolFormat | None:
    """The format by which turns with one, two and three calls are written; None if there is none."""
    double = several[0] if several else None
    if double is None or len(double) != 2 * len(single) - 1:
        return None
    first, last, between = single[0], single[-1], double[len(single) - 1]
    if not (isinstance(first, str) and isinstance(last, str) and isinstance(between, str)):
        return None
    before = _common_end(first, between)
    after = _common_start(last, between.removesuffix(before))
    found = ToolFormat(
        call=_without_empty((before, *single[1:-1], after)),
        opening=first.removesuffix(before),
        separator=between.removesuffix(before).removeprefix(after),
        closing=last.removeprefix(after),
    )
    written = [_to_pattern(found.write(_calls(n)), n) for n in (1, 2, 3)]
    return found if written == [single, *several] else None


def _calls(n_calls: int) -> list[tuple[str, str, str]]:
    calls = zip(_NAMES, map(json.dumps, _ARGUMENTS), _IDS, strict=True)
    return list(calls)[:n_calls]


def _to_pattern(turn: str, n_calls: int) -> Pattern | None:
    """The turn with marks for what was asked for, text first, last and between; None if that is not there exactly once,
    or if arguments are no JSON."""
    places: list[tuple[int, int, Placeholder]] = []
    for name, value, call_id in list(zip(_NAMES, _ARGUMENTS, _IDS, strict=True))[:n_calls]:
        arguments, names, ids = _find_object(turn, value), _find(turn, name), _find(turn, call_id)
        if arguments is None or len(names) != 1 or len(ids) > 1:
            return None
        places += [
            (*arguments, Placeholder.ARGUMENTS),
            (*names[0], Placeholder.NAME),
            *((*place, Placeholder.ID) for place in ids),
        ]
    pieces: list[str | Placeholder] = []
    position = 0
    for start, end, mark in sorted(places, key=lambda place: place[0]):
        pieces += [turn[position:start], mark]
        position = end
    return (*pieces, turn[position:])


def _find(text: str, needle: str) -> list[tuple[int, int]]:
    return [found.span() for found in re.finditer(needle, text)]


def _find_object(text: str, value: Mapping[str, str]) -> tuple[int, int] | None:
    """Where a JSON object is in a text."""
    key = f'"{next(iter(value))}"'
    start = text.rfind("{", 0, max(text.find(key), 0))
    try:
        found, end = json.JSONDecoder().raw_decode(text, start) if start >= 0 else (None, 0)
    except ValueError:
        return None
    return (start, end) if found == value else None


def _without_empty(pieces: Pattern) -> Pattern:
    return tuple(piece for piece in pieces if piece != "")


def _common_start(one: str, other: str) -> str:
    return "".join(_common(_UNITS.findall(one), _UNITS.findall(other)))


def _common_end(one: str, other: str) -> str:
    return "".join(_common(_UNITS.findall(one)[::-1], _UNITS.findall(other)[::-1])[::-1])


def _common(ours: Sequence[str], theirs: Sequence[str]) -> list[str]:
    pairs = zip(ours, theirs, strict=False)
    return [one for one, _ in takewhile(lambda pair: pair[0] == pair[1], pairs)]


def _is_usable(found: ToolFormat) -> bool:
    """Whether a call is told from other text by how it begins, and a name from what comes behind it. Long text belongs
    to something else than a call."""
    start = found.first_call[0]
    behind_words = [
        found.call[n + 1 : n + 2] for n, piece in enumerate(found.call) if piece in (Placeholder.NAME, Placeholder.ID)
    ]
    return (
        isinstance(start, str)
        and not start.replace(" ", "").isalnum()
        and all(text and isinstance(text[0], str) and not _is_name_character(text[0][0]) for text in behind_words)
        and max(map(len, found.literals)) <= _MAX_LITERAL
    )


def _is_name_character(character: str) -> bool:
    return character.isalnum() or character in "_-."


def _calling(n_calls: int) -> Message:
    calls: list[Json] = [
        {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
        for name, arguments, call_id in _calls(n_calls)
    ]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def _last_value(n_calls: int) -> str:
    return next(iter(_ARGUMENTS[n_calls - 1].values()))


def _tool(name: str) -> Json:
    return {"type": "function", "function": {"name": name, "description": "A tool", "parameters": {"type": "object"}}}
