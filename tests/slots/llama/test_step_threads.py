"""How much of the machine other programs take, as it is found between steps."""

from collections.abc import Callable

import pytest

from slots.llama.step_threads import LoadWatcher
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
