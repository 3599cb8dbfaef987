"""The benchmark of starts."""

import sys

import pytest

from benchmarks.start import REQUESTS, measure_start, table
from models.source import BUNDLED_MODEL

COMMAND = [sys.executable, "-m", "server", "--model", str(BUNDLED_MODEL), "--parallel", "1", "--ctx-size", "512"]


def test_a_start_is_measured_from_the_command_to_the_first_token() -> None:
    measured = measure_start(COMMAND, *REQUESTS["JSON schema"])
    assert 0 < measured["ready"] < measured["first_token"]
    assert measured["private"] > 2**20


def test_a_server_that_ends_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="did not start"):
        measure_start([sys.executable, "-c", "pass"], *REQUESTS["plain"])


def test_the_table_has_the_best_and_the_median() -> None:
    rounds = [
        {"plain | ours": {"ready": ready, "first_token": ready + 1, "private": 2**20 * ready}}
        for ready in (3.0, 1.0, 2.0)
    ]
    assert table(rounds).splitlines()[-1] == "| plain | ours | 1.00 | 2.00 | 3.00 | 2 |"
