"""The page docs/flags.md, generated from the flags' definitions: `python -m server.cli.flags_page > docs/flags.md`."""

from collections.abc import Mapping, Sequence

from server.cli.defaults import describe_defaults
from server.cli.flags import GROUPS
from server.cli.foreign import ForeignFlag
from server.cli.no_effect import NO_EFFECT
from server.cli.parser import Flag, Group, Switch
from server.cli.refused import REFUSED

INTRODUCTION = """\
# Flags

Spelled as llama.cpp's server spells them. A flag overrides its environment variable; `LLAMA_ARG_NO_X` turns off the
switch of `LLAMA_ARG_X`. `llama-slots --help` shows the same list.

A command line or environment of llama.cpp's server can be used as it is: its flags have the same meaning, or [no
effect](#flags-of-llamacpp-without-effect), or they are [refused](#flags-of-llamacpp-that-are-refused).

This page is generated from `server/cli/`; do not edit it.
"""
NO_EFFECT_TITLE = "Flags of llama.cpp without effect"
NO_EFFECT_INTRODUCTION = "They are accepted. A line of the log says the reason."
REFUSED_TITLE = "Flags of llama.cpp that are refused"
REFUSED_INTRODUCTION = "The server does not start with one of them, and says what to do instead."
ESCAPED_BAR = "\\|"
"""A bar within a cell of a table."""


def flags_markdown() -> str:
    """Returns the page: a table for each group of flags."""
    defaults = describe_defaults()
    return "\n".join([INTRODUCTION, *(_group_section(group, defaults) for group in GROUPS), *_foreign_sections()])


def _group_section(group: Group, defaults: Mapping[str, str]) -> str:
    lines = [f"## {group.title[0].upper()}{group.title[1:]}", ""]
    if group.description:
        lines += [group.description, ""]
    lines += ["| flag | description | default | environment variable |", "| --- | --- | --- | --- |"]
    lines += [_flag_row(flag, defaults) for flag in group.flags]
    return "\n".join([*lines, ""])


def _foreign_sections() -> list[str]:
    return [
        _foreign_section(NO_EFFECT_TITLE, NO_EFFECT_INTRODUCTION, "reason", NO_EFFECT),
        _foreign_section(REFUSED_TITLE, REFUSED_INTRODUCTION, "instead", REFUSED),
    ]


def _foreign_section(title: str, introduction: str, column: str, flags: Sequence[ForeignFlag]) -> str:
    lines = [f"## {title}", "", introduction, ""]
    lines += [f"| flag | {column} | environment variable |", "| --- | --- | --- |"]
    lines += [_row(_code(flag.spelling), flag.text, _code(flag.variable)) for flag in flags]
    return "\n".join([*lines, ""])


def _flag_row(flag: Flag | Switch, defaults: Mapping[str, str]) -> str:
    return _row(_code(flag.spelling), flag.help_text, _code(defaults.get(flag.destination)), _code(flag.variable))


def _row(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', ESCAPED_BAR) for cell in cells)} |"


def _code(text: str | None) -> str:
    return f"`{text}`" if text else ""


if __name__ == "__main__":
    print(flags_markdown(), end="")
