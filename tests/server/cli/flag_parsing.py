"""Reads flags and variables without running the program."""

from collections.abc import Mapping

import pytest

from server.cli.configuration import Configuration, read_configuration
from server.settings import Settings
from slots.requests.sampling_params import SamplingParams
from tests.server.headers import HEADER


def parse_flags(*flags: str, environ: Mapping[str, str] | None = None) -> Configuration:
    return read_configuration(flags, environ or {})


def settings(*flags: str, environ: Mapping[str, str] | None = None) -> Settings:
    return parse_flags(*flags, environ=environ).settings(HEADER)


def sampling(*flags: str, environ: Mapping[str, str] | None = None) -> SamplingParams:
    return settings(*flags, environ=environ).defaults.sampling


def get_error(capsys: pytest.CaptureFixture[str], *flags: str, environ: Mapping[str, str] | None = None) -> str:
    """Returns the one line of an error, for flags that exit with code 2."""
    with pytest.raises(SystemExit) as caught:
        parse_flags(*flags, environ=environ)
    said = capsys.readouterr()
    assert (caught.value.code, said.out) == (2, "")
    assert said.err.startswith("llama-slots: error: ")
    assert said.err.count("\n") == 1
    return said.err.removeprefix("llama-slots: error: ").rstrip()
