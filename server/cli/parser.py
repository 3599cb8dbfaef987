"""Flag, Switch and Group define the flags, and FlagParser reads them: argparse with llama.cpp's spellings, which are
words after one dash or two, and an environment variable for most of them."""

import argparse
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from server.cli.foreign import ForeignFlag
from server.cli.values import on_off

EPILOG = (
    "`llama-slots fine-tune --help` is about training an adapter. "
    "Further flags of llama.cpp's server are accepted without effect or refused; docs/flags.md has all of them."
)


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag with a value; the value's name comes last in the spelling: `-b, --batch-size N`."""

    spelling: str
    destination: str
    read: Callable[[str], Any]
    """Parses the value; raises argparse.ArgumentTypeError."""
    help_text: str
    variable: str | None = None
    implicit_value: str | None = None
    """The value of a flag with nothing after it; None makes a value mandatory."""
    repeatable: bool = False
    """`read` returns tuples, and those of repeated flags are concatenated."""

    @property
    def names(self) -> list[str]:
        return self.spelling.rsplit(" ", 1)[0].split(", ")

    def add_to(self, group: argparse._ArgumentGroup, help_text: str) -> None:
        options: dict[str, Any] = {"action": _ExtendTuple} if self.repeatable else {}
        if self.implicit_value is not None:
            options |= {"nargs": "?", "const": self.implicit_value}
        metavar = self.spelling.rsplit(" ", 1)[1]
        group.add_argument(
            *self.names, dest=self.destination, type=self.read, metavar=metavar, help=help_text, **options
        )


@dataclass(frozen=True, slots=True)
class Switch:
    """A flag without a value; names that start with `no-` turn it off."""

    spelling: str
    destination: str
    help_text: str
    variable: str | None = None
    off_names: tuple[str, ...] | None = None
    """The names that turn it off, if others do."""

    @property
    def names(self) -> list[str]:
        return self.spelling.split(", ")

    @property
    def has_opposite(self) -> bool:
        return any(self._turns_off(name) for name in self.names)

    def read(self, text: str) -> bool:
        return on_off(text)

    def add_to(self, group: argparse._ArgumentGroup, help_text: str) -> None:
        off_names = tuple(name for name in self.names if self._turns_off(name))
        options: dict[str, Any] = {"action": _SetSwitch, "nargs": 0, "const": off_names}
        group.add_argument(*self.names, dest=self.destination, help=help_text, **options)

    def _turns_off(self, name: str) -> bool:
        return name.lstrip("-").startswith("no-") if self.off_names is None else name in self.off_names


class Group:
    """Flags under one title in --help and in docs/flags.md."""

    def __init__(self, title: str, description: str, *flags: Flag | Switch) -> None:
        self.title = title
        self.description = description
        self.flags = flags


class FlagParser(argparse.ArgumentParser):
    """Leaves absent flags out of its result, so that a default is written only once: where the option is defined.

    It overrides private hooks of argparse, which tests/server/cli/test_parser.py checks for.
    """

    def __init__(
        self,
        description: str,
        groups: Sequence[Group],
        defaults: Mapping[str, str],
        version: str,
        foreign: Sequence[ForeignFlag] = (),
    ) -> None:
        super().__init__(
            prog="llama-slots",
            usage="llama-slots [flags]",
            description=description,
            formatter_class=_HelpFormatter,
            argument_default=argparse.SUPPRESS,
            epilog=EPILOG,
            allow_abbrev=False,
            add_help=False,
        )
        # argparse's own pattern takes -1 and -0.5 for values, but -1e3 for a flag.
        self._negative_number_matcher = re.compile(r"-\.?[0-9]")
        for group in groups:
            arguments = self.add_argument_group(group.title, group.description or None)
            for flag in group.flags:
                flag.add_to(arguments, _format_help(flag, defaults))
        for each in foreign:
            each.add_to(self)
        about = self.add_argument_group("about")
        about.add_argument("--version", action="version", version=version, help="show the version and exit")
        about.add_argument("-h", "--help", "--usage", action="help", help="show this text and exit")

    def error(self, message: str) -> NoReturn:
        """Exits with code 2 after one line on stderr."""
        self.exit(2, f"{self.prog}: error: {message}\n")

    def read(self, arguments: Sequence[str]) -> dict[str, Any]:
        """Returns the values of the flags by destination. As in llama.cpp, --ctx_size is the same as --ctx-size."""
        return vars(self.parse_args([_with_hyphens(argument) for argument in arguments]))

    def _get_option_tuples(self, option_string: str) -> list[tuple[argparse.Action, str, str | None]]:
        # argparse would read -nkvo as -n with the value "kvo", and -ng as short for -ngl.
        return []


def _with_hyphens(argument: str) -> str:
    """Returns a long flag without underscores, and any other argument as it is."""
    if not argument.startswith("--"):
        return argument
    name, separator, value = argument.partition("=")
    return name.replace("_", "-") + separator + value


class _SetSwitch(argparse.Action):
    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        setattr(namespace, self.dest, option_string not in self.const)


class _ExtendTuple(argparse.Action):
    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        # An empty tuple, such as that of `--dry-sequence-breaker none`, discards earlier values.
        setattr(namespace, self.dest, (*getattr(namespace, self.dest, ()), *values) if values else ())


class _HelpFormatter(argparse.HelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        # The value's name once after all names, not after each of them.
        names = ", ".join(action.option_strings)
        return names if action.nargs == 0 else f"{names} {action.metavar}"

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(text, width, break_on_hyphens=False)


def _format_help(flag: Flag | Switch, defaults: Mapping[str, str]) -> str:
    text = flag.help_text
    if flag.destination in defaults:
        text += f" (default: {defaults[flag.destination]})"
    if flag.variable is not None:
        text += f" (env: {flag.variable})"
    return text.replace("%", "%%")
