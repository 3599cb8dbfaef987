"""The benchmark on a busy machine: its programs, and its rows of made-up speeds."""

import os
import subprocess
import sys

import pytest

from benchmarks.busy import (
    MAX_PROGRAMS,
    Row,
    add_rows,
    busy_programs,
    collect_rows,
    format_rows,
    limited_cpus,
    n_programs,
    quota,
)
from benchmarks.harness.cpu_quota import CpuQuota
from tests.processes import children, cpu_seconds
from tests.server.http_client import wait_until

ROUNDS = [
    {
        ("generate", 1, "steady", server): speed
        for server, speed in zip(("default", "-t 1", "-t 2", "peer"), speeds, strict=True)
    }
    for speeds in ((90.0, 100.0, 40.0, 30.0), (80.0, 80.0, 50.0, 40.0), (100.0, 90.0, 30.0, 50.0))
]


def test_a_row_compares_with_the_peer_and_with_the_fastest_fixed_number() -> None:
    (row,) = collect_rows(ROUNDS)
    assert (row.workload, row.n_programs, row.when) == ("generate", 1, "steady")
    assert row.medians == {"default": 90, "-t 1": 90, "-t 2": 40, "peer": 40}
    assert row.fastest_fixed == "-t 1"
    assert row.ratio("-t 1") == 1.0
    assert row.ratio("peer") == 2.0
    assert row.ratio("another") is None


def test_the_table_has_medians_and_the_best() -> None:
    assert format_rows(collect_rows(ROUNDS)).splitlines()[2] == (
        "| generate | 1 | steady | 90.0 (100) | 90.0 (100) | 40.0 (50.0) | 40.0 (50.0) | 2.00 x | 1.00 x |"
    )


def test_rounds_are_added_to_those_of_an_earlier_run() -> None:
    other = Row("prompt", 0, "steady", {"default": [1.0]})
    both = add_rows([*collect_rows(ROUNDS[:1]), other], collect_rows(ROUNDS[1:]))
    assert both == [*collect_rows(ROUNDS), other]


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_busy_programs_use_their_cpus_and_end() -> None:
    with busy_programs(1):
        [pid] = children("while time.monotonic")
        wait_until(lambda: cpu_seconds(pid) > 0.1, "using a CPU")
    assert children("while time.monotonic") == []


@pytest.mark.parametrize("text", ["-1", str(MAX_PROGRAMS + 1), "many"])
def test_the_number_of_programs_is_bounded(text: str) -> None:
    with pytest.raises(ValueError, match=r"programs|invalid literal"):
        n_programs(text)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="there are no affinity masks here")
def test_the_cpus_of_the_servers_can_be_limited() -> None:
    mask = os.sched_getaffinity(0)
    with limited_cpus(1):
        assert len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == mask


def test_the_time_of_the_servers_can_be_limited_by_a_control_group() -> None:
    """The program that is started sees the quota as our server does, and this one is not limited afterwards."""
    see = [sys.executable, "-c", "from slots.machine import usable_cpus; print(usable_cpus().n_threads)"]
    try:
        group = CpuQuota(1)
    except OSError as error:
        pytest.skip(str(error))
    before = subprocess.check_output(see, text=True)
    with group:
        with group.joined():
            assert subprocess.check_output(see, text=True) == "1\n"
        assert subprocess.check_output(see, text=True) == before
    CpuQuota(1).__exit__()  # could not be made again if it were still there


@pytest.mark.parametrize("text", ["0", "-1", "inf", "nan", "all"])
def test_a_quota_is_a_positive_number(text: str) -> None:
    with pytest.raises(ValueError, match=r"positive number|could not convert"):
        quota(text)
