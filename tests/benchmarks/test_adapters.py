"""The benchmark of adapters: who uses which, and what its table says."""

from pathlib import Path

from benchmarks.adapters.__main__ import (
    FIRST,
    N_ADAPTERS,
    N_CLIENTS,
    SPEED,
    WORKLOADS,
    rows_of_all,
    write_adapters,
)
from benchmarks.harness.report import workload_table
from models.adapter import read_adapter
from models.source import BUNDLED_MODEL

PEER = {"tokens/s": 100.0, "first token p50, ms": 40.0, "first token max, ms": 60.0, "longest pause, ms": 5.0}
OURS = {"first token p50, ms": 10.0, "first token max, ms": 20.0, "longest pause, ms": 5.0}
ROUNDS = [{"ours": {"tokens/s": speed, **OURS}, "llama.cpp": PEER} for speed in (150.0, 200.0, 120.0)]
MEASURED = [dict.fromkeys(WORKLOADS, each) for each in ROUNDS]


def test_all_adapters_are_used_by_as_many_clients() -> None:
    chosen = WORKLOADS["4 adapters"]
    assert {chosen.count(number) for number in range(N_ADAPTERS)} == {N_CLIENTS // N_ADAPTERS}


def test_its_adapters_are_those_of_the_model_and_differ(tmp_path: Path) -> None:
    headers = [read_adapter(file, BUNDLED_MODEL) for file in write_adapters(tmp_path, BUNDLED_MODEL)]
    assert len({header.fingerprint for header in headers}) == N_ADAPTERS


def test_more_speed_and_less_waiting_are_better() -> None:
    rows = rows_of_all(MEASURED, ["ours", "llama.cpp"])
    by_measure = {row.measure: row for row in rows if row.workload == "4 adapters"}
    assert by_measure[SPEED].ratio_to_peer == 1.5
    assert by_measure[FIRST].ratio_to_peer == 4.0
    lines = workload_table(list(by_measure.values()), ["ours", "llama.cpp"]).splitlines()
    assert lines[0] == "|  | ours | llama.cpp | ours is better |"
    assert "| 4 adapters, tokens/s | 150 | 100 | 1.50 x |" in lines


def test_without_a_peer_there_is_nothing_to_compare() -> None:
    rows = rows_of_all(MEASURED, ["ours"])
    assert all(row.ratio_to_peer is None for row in rows)
    assert workload_table(rows, ["ours"]).splitlines()[0] == "|  | ours |"


def test_rounds_have_all_workloads_and_rows_are_medians_over_them() -> None:
    rows = rows_of_all(MEASURED, ["ours", "llama.cpp"])
    assert [row.workload for row in rows] == [name for name in WORKLOADS for _ in ROUNDS[0]["ours"]]
    assert {row.medians["ours"] for row in rows if row.measure == SPEED} == {150.0}
