"""The Jinja environment of chat templates: the functions that Hugging Face's transformers provides, in a sandbox.

A template comes with a model file, from anyone. It has no access to the program, and endless loops and texts are cut
off. Not prevented: a template that doubles a text in each round of a short loop uses much memory.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar
from datetime import datetime
from typing import Any, NoReturn

from jinja2 import Template, TemplateError, nodes
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

MAX_CHARACTERS = 64 * 1024 * 1024
"""Of a rendered text: twice the maximum bytes of a request, for templates that escape it."""
MAX_STEPS = 5_000_000
"""Of one rendering, in loop iterations: a few seconds."""
STEPS_PER_CALL = 20
"""How much longer a call takes than an iteration."""
MAX_BITS = 4_096
"""Of a number that a template computes."""

LIST_METHODS = ("append", "pop", "extend", "insert")

_COUNT_STEPS_FILTER = "(counted)"
"""Name of a filter; no template can contain it."""


class TemplateRaised(TemplateError):
    """From a template's `raise_exception`."""


class StepCounter:
    """The step budget of one rendering."""

    def __init__(self, max_steps: int) -> None:
        self._max_steps = max_steps
        self._left = max_steps

    def count(self, n_steps: int) -> None:
        """Raises SecurityError if the budget is used up."""
        self._left -= n_steps
        if self._left < 0:
            raise SecurityError(f"it takes more than {self._max_steps:,} steps")


_step_counter: ContextVar[StepCounter] = ContextVar("steps")


class ChatEnvironment(ImmutableSandboxedEnvironment):
    """Parses templates, and bounds their loops, calls and products."""

    intercepted_binops = frozenset({"*", "**"})

    def __init__(self) -> None:
        super().__init__(trim_blocks=True, lstrip_blocks=True, extensions=[GenerationBlock, "jinja2.ext.loopcontrols"])
        self.filters["tojson"] = _to_json
        self.filters[_COUNT_STEPS_FILTER] = _count_steps
        self.globals["raise_exception"] = _raise_exception
        self.globals["strftime_now"] = _strftime_now

    def parse_chat_template(self, source: str) -> Template:
        tree = self.parse(source)
        for loop in list(tree.find_all(nodes.For)):
            loop.iter = nodes.Filter(loop.iter, _COUNT_STEPS_FILTER, [], [], None, None, lineno=loop.lineno)
        return self.from_string(tree)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:  # noqa: ANN401 - as Jinja's
        """Templates may collect things in lists: those of what they are given are copies (`copied`)."""
        is_of_list = isinstance(obj, list) and attr in LIST_METHODS
        return is_of_list or super().is_safe_attribute(obj, attr, value)

    def call(self, __context: Any, __obj: Any, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - as Jinja's
        _step_counter.get().count(STEPS_PER_CALL)
        return super().call(__context, __obj, *arguments, **named)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:  # noqa: ANN401 - as Jinja's
        _check_size(operator, left, right)
        return super().call_binop(context, operator, left, right)


class GenerationBlock(Extension):
    """Ignores `{% generation %}`, which marks what a model is trained on."""

    tags = {"generation"}  # noqa: RUF012 - as Jinja declares it

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        return nodes.Scope(parser.parse_statements(("name:endgeneration",), drop_needle=True), lineno=line)


def changes_lists(source: str) -> bool:
    """Whether a template may call methods that change a list."""
    return any(f".{method}" in source or f"'{method}'" in source or f'"{method}"' in source for method in LIST_METHODS)


def copied(value: object) -> object:
    """Returns a copy of messages or other variables, as deep as they have lists."""
    if isinstance(value, Mapping):
        return {name: copied(part) for name, part in value.items()}
    return [copied(part) for part in value] if isinstance(value, list | tuple) else value


def render_within_bounds(template: Template, variables: Mapping[str, object], max_steps: int) -> str:
    """Returns the text. Raises SecurityError beyond `max_steps` or MAX_CHARACTERS, and whatever the template raises."""
    token = _step_counter.set(StepCounter(max_steps))
    try:
        return "".join(_limit_length(MAX_CHARACTERS, template.generate(variables)))
    finally:
        _step_counter.reset(token)


def _limit_length(max_characters: int, pieces: Iterable[str]) -> Iterator[str]:
    n_characters = 0
    for piece in pieces:
        n_characters += len(piece)
        if n_characters > max_characters:
            raise SecurityError(f"it writes more than {max_characters:,} characters")
        yield piece


def _count_steps(values: Iterable[object]) -> Iterator[object]:
    steps = _step_counter.get()
    for value in values:
        steps.count(1)
        yield value


def _check_size(operator: str, left: object, right: object) -> None:
    """Raises SecurityError for a product or power that would take too much memory."""
    if isinstance(left, int) and isinstance(right, int):
        bits = left.bit_length() * max(right, 0) if operator == "**" else left.bit_length() + right.bit_length()
        if bits > MAX_BITS:
            raise SecurityError("it computes too large a number")
    elif operator == "*":
        many, times = (right, left) if isinstance(left, int) else (left, right)
        if isinstance(many, str | list | tuple) and isinstance(times, int) and len(many) * times > MAX_CHARACTERS:
            raise SecurityError("it repeats something too often")


def _to_json(
    value: object,
    ensure_ascii: bool = False,
    indent: int | str | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    # Jinja's own filter escapes for HTML.
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys, default=_as_list
    )


def _as_list(value: object) -> list[object]:
    """Filters such as map return what is no list. Raises TypeError for what is not iterable."""
    if isinstance(value, Iterator):
        return list(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _raise_exception(message: object) -> NoReturn:
    raise TemplateRaised(str(message))


def _strftime_now(form: str) -> str:
    return datetime.now().strftime(form)
