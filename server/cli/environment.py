"""Environment variables: values for flags that are absent from the command line."""

from argparse import ArgumentTypeError
from collections.abc import Container, Iterable, Mapping
from typing import Any

from server.cli.parser import Flag, Group, Switch


class VariableError(Exception):
    """A variable with a value that its flag does not take; the message names the variable."""


def read_variables(groups: Iterable[Group], environ: Mapping[str, str], flags: Container[str]) -> dict[str, Any]:
    """Returns the values that variables set, by destination, without those in `flags`.

    An empty variable counts as unset. `LLAMA_ARG_NO_X`, whatever its value, turns off the switch of `LLAMA_ARG_X`.
    Raises VariableError.
    """
    values: dict[str, Any] = {}
    for group in groups:
        for flag in group.flags:
            if flag.variable is None or flag.destination in flags:
                continue
            if isinstance(flag, Switch) and flag.has_opposite and _negated_name(flag.variable) in environ:
                values[flag.destination] = False
            elif text := environ.get(flag.variable):
                values[flag.destination] = _read_value(flag, flag.variable, text)
    return values


def _negated_name(variable: str) -> str:
    return variable.replace("LLAMA_ARG_", "LLAMA_ARG_NO_")


def _read_value(flag: Flag | Switch, variable: str, text: str) -> Any:  # noqa: ANN401 - as the flag's type
    try:
        return flag.read(text)
    except ArgumentTypeError as error:
        raise VariableError(f"variable {variable}: {error}") from None
