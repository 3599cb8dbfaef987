"""Infers how a model writes tool calls from its chat template: probe calls are rendered, and the text around their
names, arguments and ids is what the model has to write."""

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import replace

from grammar.call_arguments.syntax import ArgumentSyntax
from server.chat.template.argument_syntax import infer_argument_syntax
from server.chat.template.probe_turns import ProbeTurns, common_prefix, common_suffix
from server.chat.template.probes import CALLS, ProbeCall
from server.chat.template.template import ChatTemplate
from server.chat.tools.call_format import Pattern, Placeholder, ToolFormat
from server.chat.tools.known_formats import FURTHER_FORMS
from server.chat.tools.output_parser import OutputParser, ToolCallDelta, ToolCallStart
from slots.errors import InvalidRequest

_MAX_LITERAL = 200
"""Characters. Longer text belongs to something else than a call."""
_NUMBER = re.compile(r"(?<!\w)[0-9]+(?!\w)")

Span = tuple[int, int, Placeholder]


def infer_tool_format(template: ChatTemplate, ends: Collection[str] = ()) -> ToolFormat | None:
    """Returns how calls are written after the template's generation prompt; `ends` are the texts of end-of-generation
    tokens. None if the template writes no calls, or if they cannot be told from other text.

    For a worker thread.
    """
    if not template.capabilities.supports_tool_calls:
        return template.text_format
    counts = (1, 2, 3) if template.capabilities.supports_parallel_tool_calls else (1,)
    try:
        turns = ProbeTurns(template, ends)
        texts = [turns.of_calls(CALLS[:count]) for count in counts]
        if texts[0] is None:
            return None
        tool_format = _infer_format(texts, None)
        if tool_format is None and (syntax := infer_argument_syntax(turns)):
            tool_format = _infer_format(texts, syntax)
    except InvalidRequest:
        return None
    if tool_format is None or not _is_usable(tool_format, template) or not _is_read(tool_format, texts[0]):
        return None
    return replace(tool_format, other_calls=FURTHER_FORMS.get(str(tool_format.first_call[0]), ()))


def _infer_format(texts: Sequence[str | None], syntax: ArgumentSyntax | None) -> ToolFormat | None:
    """`texts` are the turns of one, two and three calls, or of one. Calls may be numbered from 0 or from 1."""
    for first_index in (None, 0, 1):
        patterns = [
            None if text is None else _to_pattern(text, CALLS[:count], syntax, first_index)
            for count, text in enumerate(texts, 1)
        ]
        single, *several = patterns
        if single is None:
            continue
        alone = ToolFormat(call=_without_empty(single), arguments=syntax, first_index=first_index or 0)
        parallel = _infer_parallel_format(single, several, alone)
        if parallel or (len(texts) == 1 and first_index is None):
            return parallel or alone
    single = None if texts[0] is None else _to_pattern(texts[0], CALLS[:1], syntax, None)
    return None if single is None else ToolFormat(call=_without_empty(single), arguments=syntax)


def _to_pattern(
    turn: str, calls: Sequence[ProbeCall], syntax: ArgumentSyntax | None, first_index: int | None
) -> Pattern | None:
    """Returns the turn with placeholders, and literals first, last and between. None unless each name occurs, each id
    at most once, all arguments in their syntax, and each number once if calls are numbered."""
    spans: list[Span] = []
    for call in calls:
        arguments, names, ids = (
            _find_arguments(turn, call, syntax),
            _find_all(turn, call.name),
            _find_all(turn, call.call_id),
        )
        if arguments is None or not names or len(ids) > 1 or (syntax is None and len(names) > 1):
            return None
        spans += [(*arguments, Placeholder.ARGUMENTS), *((*name, Placeholder.NAME) for name in names)]
        spans += [(*span, Placeholder.ID) for span in ids]
    if first_index is not None:
        numbers = _find_numbers(turn, spans)
        if [int(turn[start:end]) for start, end, _ in numbers] != list(range(first_index, first_index + len(calls))):
            return None
        spans += numbers
    pattern: list[str | Placeholder] = []
    position = 0
    for start, end, placeholder in sorted(spans, key=lambda span: span[0]):
        pattern += [turn[position:start], placeholder]
        position = end
    return (*pattern, turn[position:])


def _find_all(text: str, word: str) -> list[tuple[int, int]]:
    return [match.span() for match in re.finditer(word, text)]


def _find_numbers(turn: str, spans: Sequence[Span]) -> list[Span]:
    found = [(*match.span(), Placeholder.INDEX) for match in _NUMBER.finditer(turn)]
    return [each for each in found if not any(start <= each[0] < end for start, end, _ in spans)]


def _find_arguments(text: str, call: ProbeCall, syntax: ArgumentSyntax | None) -> tuple[int, int] | None:
    """Returns the span of the call's arguments, if they are one JSON object, or in the syntax."""
    if syntax is not None:
        quote = "'" if syntax.strings == "python" and f"'{call.value}'" in text else ""
        quote = '"' if syntax.strings == "python" and not quote else quote or syntax.quote
        written = f"{syntax.before_name}{call.argument}{syntax.before_value}{quote}{call.value}{quote}"
        written += syntax.after(call.argument).rstrip()
        start = text.find(written)
        return None if start < 0 else (start, start + len(written))
    start = text.rfind("{", 0, max(text.find(f'"{call.argument}"'), 0))
    try:
        value, end = json.JSONDecoder().raw_decode(text, start) if start >= 0 else (None, 0)
    except ValueError:
        return None
    return (start, end) if value == call.arguments else None


def _infer_parallel_format(single: Pattern, several: Sequence[Pattern | None], alone: ToolFormat) -> ToolFormat | None:
    """Returns the format that writes the patterns of one, two and three calls; None if there is none. `alone` is that
    of one call."""
    double = several[0] if several else None
    if double is None or len(double) != 2 * len(single) - 1:
        return None
    first, last, between = single[0], single[-1], double[len(single) - 1]
    if not (isinstance(first, str) and isinstance(last, str) and isinstance(between, str)):
        return None
    before = common_suffix(first, between)
    after = common_prefix(last, between.removesuffix(before))
    tool_format = replace(
        alone,
        call=_without_empty((before, *single[1:-1], after)),
        opening=first.removesuffix(before),
        separator=between.removesuffix(before).removeprefix(after),
        closing=last.removeprefix(after),
    )
    written = [_write_pattern(tool_format, count) for count in (1, 2, 3)]
    return tool_format if written == [_joined(pattern) for pattern in (single, *several)] else None


def _write_pattern(tool_format: ToolFormat, n_calls: int) -> Pattern:
    """Returns the pattern of some calls in a format, without empty literals, and with adjacent ones joined."""
    parts: list[str | Placeholder] = [tool_format.opening]
    for number in range(n_calls):
        parts += [*([tool_format.separator or ""] if number else []), *tool_format.call]
    return _joined((*parts, tool_format.closing))


def _joined(pattern: Pattern | None) -> Pattern:
    joined: list[str | Placeholder] = []
    for part in pattern or ():
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += part
        elif part != "":
            joined.append(part)
    return tuple(joined)


def _without_empty(pattern: Pattern) -> Pattern:
    return tuple(part for part in pattern if part != "")


def _is_usable(tool_format: ToolFormat, template: ChatTemplate) -> bool:
    """Whether a call can be recognized by how it begins, and the end of a name or id by what follows it. A call that
    begins with a name can be if other text does not."""
    start = tool_format.first_call[0]
    after_words = [
        tool_format.call[index + 1 : index + 2]
        for index, part in enumerate(tool_format.call)
        if part in (Placeholder.NAME, Placeholder.ID, Placeholder.INDEX)
    ]
    if isinstance(start, str):
        is_recognized = not start.replace(" ", "").isalnum()
    else:
        is_recognized = bool(template.answer_format.content)
    return (
        is_recognized
        and all(text and _ends_word(text[0], tool_format) for text in after_words)
        and max(map(len, tool_format.literals)) <= _MAX_LITERAL
    )


def _ends_word(part: str | Placeholder, tool_format: ToolFormat) -> bool:
    if part is Placeholder.ARGUMENTS and tool_format.arguments:
        part = tool_format.arguments.before_name
    return isinstance(part, str) and bool(part) and not _is_name_character(part[0])


def _is_name_character(character: str) -> bool:
    return character.isalnum() or character in "_-."


def _is_read(tool_format: ToolFormat, turn: str) -> bool:
    """Whether the call of a turn is read as it was given."""
    parser = OutputParser(tool_format, None)
    deltas = [*parser.feed(turn), *parser.finish()]
    names = [delta.name for delta in deltas if isinstance(delta, ToolCallStart)]
    arguments = "".join(delta.text for delta in deltas if isinstance(delta, ToolCallDelta))
    try:
        return names == [CALLS[0].name] and json.loads(arguments) == CALLS[0].arguments
    except ValueError:
        return False
