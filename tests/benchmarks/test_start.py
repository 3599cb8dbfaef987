"""The benchmark of starts."""

import shutil
import sys
from importlib.util import cache_from_source
from pathlib import Path

import pytest

from benchmarks.start import PACKAGES, REQUESTS, compile_packages, measure_start, table
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


def test_a_start_finds_the_bytecode_of_the_program(tmp_path: Path) -> None:
    for name in PACKAGES:
        (tmp_path / name / "part").mkdir(parents=True)
        shutil.copy(__file__, tmp_path / name / "part" / "module.py")
    compile_packages(tmp_path)
    for name in PACKAGES:
        assert Path(cache_from_source(str(tmp_path / name / "part" / "module.py"))).exists()
