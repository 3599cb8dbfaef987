"""Flags as llama.cpp's users know them: whole words after one dash or two, each with its environment variable."""

import argparse
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from server.cli.values import on_off


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag that takes a value, spelled with the value's name last: `-b, --batch-size N`."""

    spelling: str
    destination: str
    read: Callable[[str], Any]
    """Turns the text into the value; raises argparse.ArgumentTypeError."""
    help_text: str
    variable: str | None = None
    implicit_value: str | None = None
    """What the flag means when nothing follows it; None makes a value necessary."""
    repeatable: bool = False
    """What `read` returns for each time the flag is given is one tuple in the end."""

    @property
    def names(self) -> list[str]:
        return self.spelling.rsplit(" ", 1)[0].split(", ")

    def add_to(self, group: argparse._ArgumentGroup, help_text: str) -> None:
        more: dict[str, Any] = {"action": _ExtendTuple} if self.repeatable else {}
        if self.implicit_value is not None:
            more |= {"nargs": "?", "const": self.implicit_value}
        metavar = self.spelling.rsplit(" ", 1)[1]
        group.add_argument(*self.names, dest=self.destination, type=self.read, metavar=metavar, help=help_text, **more)


@dataclass(frozen=True, slots=True)
class Switch:
    """A flag that takes no value; a name that starts with `no-` turns it off."""

    spelling: str
    destination: str
    help_text: str
    variable: str | None = None

    @property
    def names(self) -> list[str]:
        return self.spelling.split(", ")

    @property
    def has_opposite(self) -> bool:
        return any(_turns_off(name) for name in self.names)

    def read(self, text: str) -> bool:
        return on_off(text)

    def add_to(self, group: argparse._ArgumentGroup, help_text: str) -> None:
        group.add_argument(*self.names, dest=self.destination, action=_SetSwitch, nargs=0, help=help_text)


class Group:
    """Flags that are shown together under a title."""

    def __init__(self, title: str, description: str, *flags: Flag | Switch) -> None:
        self.title = title
        self.description = description
        self.flags = flags


class FlagParser(argparse.ArgumentParser):
    """Leaves what was not given out of its result, so that a default is written once: where the option is defined."""

    def __init__(self, description: str, groups: Sequence[Group], defaults: Mapping[str, str], version: str) -> None:
        super().__init__(
            prog="llama-slots",
            usage="llama-slots [flags]",
            description=description,
            formatter_class=_HelpFormatter,
            argument_default=argparse.SUPPRESS,
            allow_abbrev=False,
            add_help=False,
        )
        # argparse's own pattern takes -1 and -0.5 for values, but -1e3 for a flag.
        self._negative_number_matcher = re.compile(r"-\.?[0-9]")
        for group in groups:
            arguments = self.add_argument_group(group.title, group.description or None)
            for flag in group.flags:
                flag.add_to(arguments, _format_help(flag, defaults))
        about = self.add_argument_group("about")
        about.add_argument("--version", action="version", version=version, help="show the version and exit")
        about.add_argument("-h", "--help", action="help", help="show this text and exit")

    def error(self, message: str) -> NoReturn:
        """Ends the program with one line that says what is wrong."""
        self.exit(2, f"{self.prog}: error: {message}\n")

    def _get_option_tuples(self, option_string: str) -> list[tuple[argparse.Action, str, str | None]]:
        # argparse would read -nkvo as -n with the value "kvo", and -ng as short for -ngl.
        return []


class _SetSwitch(argparse.Action):
    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        setattr(namespace, self.dest, option_string is None or not _turns_off(option_string))


class _ExtendTuple(argparse.Action):
    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        # A value that stands for none takes back what was given before it.
        setattr(namespace, self.dest, (*getattr(namespace, self.dest, ()), *values) if values else ())


class _HelpFormatter(argparse.HelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        # The value's name once after all the names, not after each of them.
        names = ", ".join(action.option_strings)
        return names if action.nargs == 0 else f"{names} {action.metavar}"

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(text, width, break_on_hyphens=False)


def _turns_off(name: str) -> bool:
    return name.lstrip("-").startswith("no-")


def _format_help(flag: Flag | Switch, defaults: Mapping[str, str]) -> str:
    notes = []
    if flag.destination in defaults:
        notes.append(f"default {defaults[flag.destination]}")
    if flag.variable is not None:
        notes.append(f"env {flag.variable}")
    text = f"{flag.help_text} ({'; '.join(notes)})" if notes else flag.help_text
    return text.replace("%", "%%")
