"""The page docs/flags.md, generated from the flags' definitions: `python -m server.cli.flags_page > docs/flags.md`."""

from collections.abc import Mapping

from server.cli.defaults import describe_defaults
from server.cli.flags import GROUPS
from server.cli.parser import Flag, Group, Switch

INTRODUCTION = """\
# Flags

Spelled as llama.cpp's server spells them. A flag overrides its environment variable; `LLAMA_ARG_NO_X` turns off the
switch of `LLAMA_ARG_X`. `llama-slots --help` shows the same list.

This page is generated from `server/cli/flags/`; do not edit it.
"""
ESCAPED_BAR = "\\|"
"""A bar within a cell of a table."""


def flags_markdown() -> str:
    """Returns the page: a table for each group of flags."""
    defaults = describe_defaults()
    return "\n".join([INTRODUCTION, *(_group_section(group, defaults) for group in GROUPS)])


def _group_section(group: Group, defaults: Mapping[str, str]) -> str:
    lines = [f"## {group.title[0].upper()}{group.title[1:]}", ""]
    if group.description:
        lines += [group.description, ""]
    lines += ["| flag | description | default | environment variable |", "| --- | --- | --- | --- |"]
    lines += [_flag_row(flag, defaults) for flag in group.flags]
    return "\n".join([*lines, ""])


def _flag_row(flag: Flag | Switch, defaults: Mapping[str, str]) -> str:
    cells = (
        _code(flag.spelling),
        flag.help_text,
        _code(defaults.get(flag.destination)),
        _code(flag.variable),
    )
    return f"| {' | '.join(cell.replace('|', ESCAPED_BAR) for cell in cells)} |"


def _code(text: str | None) -> str:
    return f"`{text}`" if text else ""


if __name__ == "__main__":
    print(flags_markdown(), end="")
