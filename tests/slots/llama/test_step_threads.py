"""How much of the machine other programs take, as it is found between steps."""

import os
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from slots.llama.step_threads import LoadWatcher
from slots.machine import CpuUse, usable_cpus
from slots.threads import MachineLoad


class Use:
    """CPUs whose idle time is made up."""

    def __init__(self, idle: float | None) -> None:
        self.idle = idle

    def idle_seconds(self) -> float | None:
        return self.idle


Watch = Callable[..., int]


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    """Runs steps that end after these seconds each, and returns how many CPUs of two others have taken at the end."""

    def run(*steps: float, idle: float | None = 0.0, own: float = 1.0, pause: float = 0.0) -> int:
        load, use = MachineLoad(), Use(None if idle is None else 50.0)
        watcher = LoadWatcher(load, 2, use)  # type: ignore[arg-type]
        now, cpu = 100.0, 7.0
        monkeypatch.setattr("slots.llama.step_threads.time.process_time", lambda: cpu)
        for seconds in steps:
            watcher.start_step(now)
            now += seconds
            cpu += own * seconds
            if use.idle is not None and idle is not None:
                use.idle += idle * seconds
            watcher.end_step(now)
            now += pause
        return load.n_taken

    return run


def test_what_is_neither_idle_nor_used_by_this_process_is_taken(watch: Watch) -> None:
    assert watch(*[0.02] * 6, idle=0.0, own=1.0) == 1
    assert watch(*[0.02] * 6, idle=1.0, own=1.0) == 0
    assert watch(*[0.02] * 6, idle=0.0, own=2.0) == 0
    assert watch(*[0.02] * 6, idle=0.0, own=0.1) == 2


def test_more_cpus_that_are_free_than_threads_can_be_used_take_nothing(watch: Watch) -> None:
    """As beside a CPU quota of two CPUs of many."""
    assert watch(*[0.02] * 6, idle=40.0, own=1.0) == 0


def test_it_is_found_over_a_twentieth_of_a_second_or_one_step_that_is_longer(watch: Watch) -> None:
    assert watch(*[0.02] * 2) == 0
    assert watch(*[0.02] * 3) == 1
    assert watch(0.5) == 1


def test_a_time_without_steps_does_not_count(watch: Watch) -> None:
    assert watch(*[0.02] * 6, pause=1.0) == 0


def test_nothing_is_taken_where_the_system_does_not_tell(watch: Watch) -> None:
    assert watch(*[0.02] * 6, idle=None) == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells")
def test_programs_on_all_cpus_of_this_machine_are_seen() -> None:
    load = MachineLoad()
    watcher = LoadWatcher(load, usable_cpus().n_threads, CpuUse())
    ends_by_itself = "import time\nend = time.monotonic() + 20\nwhile time.monotonic() < end: pass"
    programs = [subprocess.Popen([sys.executable, "-c", ends_by_itself]) for _ in os.sched_getaffinity(0)]
    try:
        deadline = time.monotonic() + 10
        while not load.n_taken and time.monotonic() < deadline:
            watcher.start_step(time.perf_counter())
            time.sleep(0.2)
            watcher.end_step(time.perf_counter())
    finally:
        for program in programs:
            program.kill()
            program.wait()
    assert load.n_taken >= 1
