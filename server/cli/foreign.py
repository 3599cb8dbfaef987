"""NoEffect and Refused define flags of llama.cpp's server that set nothing here, so that its command lines can be used
as they are, or say what to change in them."""

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from server.cli.values import on_off

NOTICES = "notices"
"""The destination of the log lines."""
POSITIVE, NEGATIVE = "LLAMA_ARG_", "LLAMA_ARG_NO_"


@dataclass(frozen=True, slots=True)
class ForeignFlag:
    """A flag that is accepted and has no effect, as a line of the log says."""

    spelling: str
    """The value's name comes last, if it takes one."""
    text: str
    """Why it has no effect, or what to do instead."""
    variable: str | None = None
    """`LLAMA_ARG_NO_X` for what turns off the switch of `LLAMA_ARG_X`."""

    @property
    def names(self) -> list[str]:
        return self.spelling.rsplit(" ", 1)[0].split(", ") if self.takes_value else self.spelling.split(", ")

    @property
    def takes_value(self) -> bool:
        return not self.spelling.rsplit(" ", 1)[-1].startswith("-")

    def notice(self, name: str) -> str:
        """Returns the line for the log if the flag or variable `name` was given. Raises argparse.ArgumentTypeError if
        the flag is refused."""
        return f"{name} has no effect: {self.text}"

    def add_to(self, parser: argparse.ArgumentParser) -> None:
        metavar = self.spelling.rsplit(" ", 1)[1] if self.takes_value else None
        parser.add_argument(
            *self.names,
            dest=NOTICES,
            action=_AddNotice,
            nargs=None if self.takes_value else 0,
            metavar=metavar,
            help=argparse.SUPPRESS,
            find_notice=self.notice,
        )


class NoEffect(ForeignFlag):
    """A flag that asks for what is done anyway, or for what is of no use here."""


class Refused(ForeignFlag):
    """A flag that asks for what is not done; its text says what to do instead."""

    def notice(self, name: str) -> str:
        raise argparse.ArgumentTypeError(self.text)


class _AddNotice(argparse.Action):
    def __init__(self, *args: Any, find_notice: Callable[[str], str], **options: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **options)
        self._find_notice = find_notice

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        assert option_string
        try:
            notice = self._find_notice(option_string)
        except argparse.ArgumentTypeError as error:
            parser.error(f"argument {option_string}: {error}")
        setattr(namespace, self.dest, (*getattr(namespace, self.dest, ()), notice))


def read_foreign_variables(flags: Iterable[ForeignFlag], environ: Mapping[str, str]) -> tuple[str, ...]:
    """Returns the notices of variables that are set. Raises argparse.ArgumentTypeError, whose message names the
    variable, for one that is refused or has an invalid value."""
    found: list[str] = []
    for flag in flags:
        if flag.variable is None:
            continue
        name = _name_if_set(flag, flag.variable, environ)
        if name is not None:
            found.append(_notice_of_variable(flag, name))
    return tuple(found)


def _notice_of_variable(flag: ForeignFlag, name: str) -> str:
    try:
        return flag.notice(name)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"variable {name}: {error}") from None


def _name_if_set(flag: ForeignFlag, variable: str, environ: Mapping[str, str]) -> str | None:
    """Returns the name of the variable by which `flag` is given; None if it is not."""
    if flag.takes_value:
        return variable if environ.get(variable) else None
    if not variable.startswith(NEGATIVE):
        return variable if _read_switch(variable, environ) else None
    positive = variable.replace(NEGATIVE, POSITIVE)
    if _read_switch(positive, environ) is False:
        return positive
    return variable if variable in environ else None


def _read_switch(variable: str, environ: Mapping[str, str]) -> bool | None:
    """Returns None for a variable that is not set. Raises argparse.ArgumentTypeError."""
    text = environ.get(variable)
    if not text:
        return None
    try:
        return on_off(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"variable {variable}: {error}") from None
