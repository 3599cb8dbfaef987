"""Rounds that are spread over several runs, and what else the machine does meanwhile."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.harness.machine_load import _busy_ticks, measure_other_load
from benchmarks.harness.rounds import read_earlier, read_seed, run_rounds_in_time
from tests.processes import cpu_seconds

INFO = {"date": "2026-11-29", "model": "smollm2.gguf", "seed": 7}


def test_all_rounds_are_run_if_there_is_no_limit() -> None:
    assert list(run_rounds_in_time(range(3, 6), lambda number: 10 * number, time.monotonic(), None)) == [30, 40, 50]


def test_no_round_is_begun_that_would_end_too_late(capsys: pytest.CaptureFixture[str]) -> None:
    an_hour_ago = time.monotonic() - 3600
    assert list(run_rounds_in_time(range(1, 6), lambda number: number, an_hour_ago, 60)) == [1]
    assert "4 rounds are left: continue with --resume" in capsys.readouterr().err


def test_a_run_continues_with_the_rounds_and_the_seed_of_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "serve.json"
    path.write_text(json.dumps({**INFO, "rounds": 2, "measured": ["first", "second"]}))
    assert read_earlier(path, {**INFO, "date": "2026-11-30"}) == ["first", "second"]
    assert read_seed(path) == 7


def test_a_run_without_earlier_results_begins_anew(tmp_path: Path) -> None:
    assert read_earlier(tmp_path / "serve.json", INFO) == []
    assert read_seed(tmp_path / "serve.json") is None


def test_rounds_of_another_model_are_not_continued(tmp_path: Path) -> None:
    path = tmp_path / "serve.json"
    path.write_text(json.dumps({**INFO, "measured": []}))
    with pytest.raises(SystemExit, match=r"model 'smollm2.gguf', and this run 'gemma3.gguf'"):
        read_earlier(path, {**INFO, "model": "gemma3.gguf"})


def test_busy_is_what_was_neither_idle_nor_waiting_for_a_disk() -> None:
    assert _busy_ticks("cpu  1 2 4 1000 1000 8 16 32 0 0\ncpu0 1 2 4 1000 1000 8 16 32 0 0\n") == 63


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_program_in_another_process_group_is_counted_and_our_own_work_is_not() -> None:
    def work() -> float:
        ended = time.process_time() + 0.4
        while time.process_time() < ended:
            pass
        return ended

    busy = [sys.executable, "-c", "while True: pass"]
    with subprocess.Popen(busy, start_new_session=True) as other:
        try:
            while cpu_seconds(other.pid) < 0.05:
                time.sleep(0.01)
            used = cpu_seconds(other.pid)
            started = time.perf_counter()
            _ended, load = measure_other_load(work)
            seconds = time.perf_counter() - started
            used = cpu_seconds(other.pid) - used
        finally:
            other.kill()
    assert load is not None
    assert load >= used / seconds - 0.1
