"""The number of threads where the system tells how many CPUs other programs take, on simulated machines."""

import random

import pytest

from slots.machine import UsableCpus
from slots.threads import MachineLoad, ThreadController
from tests.slots.threads.machines import Machine, Model, Simulation

SEEDS = range(4)
STEPS_OF_A_READING = 12


def simulation(seed: int, **facts: object) -> Simulation:
    machine = Machine(draws=random.Random(seed), **facts)  # type: ignore[arg-type]
    return Simulation(machine, tells=True)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("n_busy", [1, 2])
def test_cores_that_others_take_are_left_to_them_from_the_next_reading_on(n_busy: int, seed: int) -> None:
    """But for one trial, which ends as soon as it is seen to be slow."""
    simulated = simulation(seed)
    simulated.run_for(5)
    simulated.machine.n_busy = n_busy
    simulated.run(STEPS_OF_A_READING)
    assert simulated.run(40).numbers.count(1) >= 36


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("n_busy", [1, 2])
def test_cores_that_are_free_again_are_used_from_the_next_reading_on(n_busy: int, seed: int) -> None:
    simulated = simulation(seed)
    simulated.run_for(5)
    simulated.machine.n_busy = n_busy
    simulated.run_for(30)
    simulated.machine.n_busy = 0
    simulated.run(STEPS_OF_A_READING)
    assert simulated.run(50).numbers.count(2) >= 45


@pytest.mark.parametrize("seed", SEEDS)
def test_steps_of_very_different_times_do_not_lead_to_a_slow_number(seed: int) -> None:
    """Two threads are a quarter slower than one, but a step may take half as long as another one."""
    simulated = simulation(seed, n_busy=1, lost_core=2.2, noise=0.25)
    simulated.run_for(2)
    run = simulated.run_for(60)
    assert run.numbers.count(1) > 0.9 * len(run.numbers)


@pytest.mark.parametrize("seed", SEEDS)
def test_more_threads_than_free_cores_are_used_where_they_are_faster(seed: int) -> None:
    simulated = simulation(seed, n_busy=1, lost_core=1.2)
    simulated.run_for(20)
    run = simulated.run_for(40)
    assert run.numbers.count(2) > 0.9 * len(run.numbers)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_was_best_beside_others_is_known_when_they_are_back(seed: int) -> None:
    simulated = simulation(seed, n_busy=1, lost_core=1.2)
    simulated.run_for(60)
    best = simulated.run(1).numbers[0]
    for n_busy in (0, 1):
        simulated.machine.n_busy = n_busy
        simulated.run_for(1)
    assert simulated.run(60).numbers.count(best) >= 50


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("n_cores", "n_busy"), [(8, 2), (16, 4), (16, 12)])
def test_of_many_cores_those_are_used_that_others_leave(n_cores: int, n_busy: int, seed: int) -> None:
    simulated = Simulation(
        Machine(n_cores=n_cores, n_busy=n_busy, draws=random.Random(seed)), Model(weights=0.005 * n_cores), tells=True
    )
    simulated.run_for(10)
    _number, seconds = simulated.machine.best(simulated.model, 1)
    run = simulated.run_for(20)
    assert run.seconds / (seconds * len(run.times)) < 1.1


def test_a_number_between_two_does_not_change_what_is_counted() -> None:
    load = MachineLoad()
    for n_cpus, counted in ((0.55, 0), (0.9, 1), (0.45, 1), (1.55, 1), (0.1, 0), (-3.0, 0)):
        load.record_taken(n_cpus, n_idle=1.0)
        assert load.n_taken == counted


def test_others_that_only_have_less_because_of_this_process_are_still_counted() -> None:
    load = MachineLoad()
    for n_cpus, n_idle, counted in ((12.0, 0.0, 12), (11.3, 0.0, 12), (11.3, 0.7, 11), (9.9, 0.0, 10)):
        load.record_taken(n_cpus, n_idle)
        assert load.n_taken == counted


def test_steps_of_few_tokens_start_with_what_others_leave_and_prompts_with_all_cores() -> None:
    load = MachineLoad()
    controller = ThreadController(UsableCpus(n_threads=8, n_cores=8), load)
    for n_taken, expected in ((0, 8), (3, 5), (8, 1), (11, 1)):
        load.record_taken(n_taken, n_idle=1.0)
        assert controller.choose(1) == expected
        assert controller.choose(512) == 8
