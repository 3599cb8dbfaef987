"""The number of threads of a context's steps, on simulated machines."""

import random
from dataclasses import replace

import pytest

from slots.machine import UsableCpus
from slots.threads import MachineLoad, ThreadController
from tests.slots.threads.machines import Machine, Model, Run, Simulation

TINY = Model(weights=0.0003, per_token=0.0001, serial=0.0001, barrier=0.0003)
"""So little work that a second thread costs more than it does."""
LARGE = Model(weights=0.4, per_token=0.01)
SEEDS = range(8)
N_STEPS_TO_LEAVE = 12


def machine(seed: int = 1, **facts: object) -> Machine:
    return Machine(draws=random.Random(seed), **facts)  # type: ignore[arg-type]


def slowdown(simulation: Simulation, run: Run, n_tokens: int = 1) -> float:
    """How many times as long a run took as with the best fixed number of threads."""
    _number, seconds = simulation.machine.best(simulation.model, n_tokens)
    return run.seconds / (seconds * len(run.times))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("n_cores", [2, 8, 16])
def test_on_a_free_machine_trials_cost_about_a_percent(n_cores: int, seed: int) -> None:
    simulation = Simulation(machine(seed, n_cores=n_cores), Model(weights=0.005 * n_cores))
    assert slowdown(simulation, simulation.run_for(20)) < 1.015


@pytest.mark.parametrize("seed", SEEDS)
def test_steps_that_are_sometimes_interrupted_change_nothing(seed: int) -> None:
    """The best fixed number has the same interruptions: 1% of the steps take four times as long."""
    simulation = Simulation(machine(seed, outliers=0.01, noise=0.08))
    assert slowdown(simulation, simulation.run_for(20)) < (1 + 0.01 * 3) * 1.025


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("n_busy", [1, 2, 4])
def test_a_number_that_has_become_bad_is_left_within_a_few_steps(n_busy: int, seed: int) -> None:
    simulation = Simulation(machine(seed))
    simulation.run_for(5)
    simulation.machine.n_busy = n_busy
    assert simulation.run(40).numbers.count(2) <= N_STEPS_TO_LEAVE
    assert simulation.run(20).numbers.count(1) >= 17


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("n_busy", [1, 2, 4])
def test_a_machine_that_is_busy_from_the_start_is_noticed_within_a_few_steps(n_busy: int, seed: int) -> None:
    simulation = Simulation(machine(seed, n_busy=n_busy))
    assert simulation.run(60).numbers.count(2) <= N_STEPS_TO_LEAVE + 4


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("n_busy", [1, 2, 4])
def test_a_busy_machine_costs_a_few_percent_in_the_long_run(n_busy: int, seed: int) -> None:
    simulation = Simulation(machine(seed, n_busy=n_busy))
    simulation.run_for(5)
    assert slowdown(simulation, simulation.run_for(60)) < 1.03


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("n_busy", [1, 2, 4])
def test_all_cores_are_used_again_seconds_after_the_others_have_ended(n_busy: int, seed: int) -> None:
    simulation = Simulation(machine(seed, n_busy=n_busy))
    simulation.run_for(30)
    simulation.machine.n_busy = 0
    simulation.run_for(20 if n_busy == 1 else 2)
    numbers = simulation.run(100).numbers
    assert numbers.count(2) > 90


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("n_cores", "n_busy"), [(8, 1), (8, 3), (16, 1), (16, 3), (16, 9)])
def test_of_many_cores_as_many_are_used_as_are_free(n_cores: int, n_busy: int, seed: int) -> None:
    simulation = Simulation(machine(seed, n_cores=n_cores), Model(weights=0.005 * n_cores))
    simulation.run_for(3)
    simulation.machine.n_busy = n_busy
    simulation.run_for(20)
    assert slowdown(simulation, simulation.run_for(20)) < 1.1


@pytest.mark.parametrize("seed", SEEDS)
def test_slow_cores_are_left_out_where_all_would_wait_for_them(seed: int) -> None:
    simulation = Simulation(machine(seed, n_cores=16, n_slow=8, slow_speed=0.3), Model(weights=0.08))
    simulation.run_for(5)
    assert slowdown(simulation, simulation.run_for(20)) < 1.05


@pytest.mark.parametrize("seed", SEEDS)
def test_a_tiny_model_uses_one_thread(seed: int) -> None:
    simulation = Simulation(machine(seed), TINY)
    simulation.run_for(1)
    assert simulation.run(1000).numbers.count(1) > 950


@pytest.mark.parametrize("seed", SEEDS)
def test_a_large_model_tries_few_of_its_long_steps(seed: int) -> None:
    simulation = Simulation(machine(seed), LARGE)
    assert slowdown(simulation, simulation.run_for(120)) < 1.03


@pytest.mark.parametrize("seed", SEEDS)
def test_each_shape_finds_its_own_number(seed: int) -> None:
    """Steps of one token are fastest with one thread, prompts with all."""
    simulation = Simulation(machine(seed), replace(TINY, per_token=0.001))
    simulation.run_for(10, (1, 1, 1, 1, 200))
    run = simulation.run(500, (1, 1, 1, 1, 200))
    assert sum(number == 1 for index, number in enumerate(run.numbers) if index % 5 != 4) > 360
    assert run.numbers[4::5].count(2) > 90


@pytest.mark.parametrize("seed", SEEDS)
def test_what_one_number_of_rows_found_holds_for_the_next(seed: int) -> None:
    simulation = Simulation(machine(seed))
    simulation.run_for(2)
    simulation.run_for(2, 4)
    simulation.machine.n_busy = 1
    simulation.run(30)
    assert simulation.run(5, 4).numbers.count(1) >= 4


@pytest.mark.parametrize("seed", SEEDS)
def test_what_one_context_found_holds_for_the_others(seed: int) -> None:
    load = MachineLoad()
    busy = machine(seed)
    model, draft = Simulation(busy, load=load), Simulation(busy, replace(Model(), weights=0.004), load=load)
    for simulation in (model, draft):
        simulation.run_for(2)
    busy.n_busy = 1
    model.run(30)
    assert draft.run(3).numbers == [1, 1, 1]
    busy.n_busy = 0
    model.run_for(20)
    assert draft.run(3).numbers == [2, 2, 2]


@pytest.mark.parametrize(("n_threads", "n_batch", "numbers"), [(3, 0, (3, 3)), (3, 5, (3, 5)), (0, 5, (None, 5))])
def test_numbers_can_be_fixed(n_threads: int, n_batch: int, numbers: tuple[int | None, int]) -> None:
    controller = ThreadController(UsableCpus(2, 2), MachineLoad(), n_threads=n_threads, n_threads_batch=n_batch)
    for n_tokens, expected in zip((1, 2, 512), (numbers[0], numbers[1], numbers[1]), strict=True):
        chosen = set()
        for _ in range(200):
            chosen.add(controller.choose(n_tokens))
            controller.record(n_tokens, 0.01)
        assert chosen == ({expected} if expected else {1, 2})


def test_one_cpu_is_never_shared_by_two_threads() -> None:
    controller = ThreadController(UsableCpus(n_threads=1, n_cores=1), MachineLoad())
    for n_tokens in (1, 512) * 50:
        assert controller.choose(n_tokens) == 1
        controller.record(n_tokens, 0.01)


def test_it_starts_with_a_thread_on_each_core_and_tries_the_second_threads_of_cores() -> None:
    controller = ThreadController(UsableCpus(n_threads=8, n_cores=4), MachineLoad())
    chosen = []
    for _ in range(200):
        chosen.append(controller.choose(1))
        controller.record(1, 0.01 + 0.001 * chosen[-1])
    assert chosen[0] == 4
    assert 8 in chosen


def test_the_number_in_use_is_that_of_the_latest_step() -> None:
    controller = ThreadController(UsableCpus(4, 4), MachineLoad(), n_threads=1, n_threads_batch=3)
    assert (controller.n_latest("few"), controller.n_latest("many")) == (1, 3)
    assert controller.n_max == 4
    controller.choose(512)
    assert controller.n_in_use == 3
    controller.choose(1)
    assert controller.n_in_use == 1


@pytest.mark.parametrize(("n_cores", "n_elsewhere", "n_left"), [(2, 1, 1), (8, 4, 4), (4, 9, 1)])
def test_steps_leave_cores_to_what_the_process_computes_beside_them_and_take_them_back(
    n_cores: int, n_elsewhere: int, n_left: int
) -> None:
    load = MachineLoad()
    simulation = Simulation(machine(n_cores=n_cores), Model(weights=0.01 * n_cores), load)
    simulation.run_for(5)
    with load.computing(n_elsewhere):
        assert max(simulation.run(50, [1, 3, 100]).numbers) == n_left
    assert max(simulation.run(3).numbers) == n_cores


def test_the_slower_steps_meanwhile_change_nothing_for_those_afterwards() -> None:
    load = MachineLoad()
    simulation = Simulation(machine(), Model(weights=0.02), load)
    simulation.run_for(5)
    for _ in range(20):
        with load.computing(1):
            simulation.run(30)
        assert simulation.run(20).numbers.count(2) >= 18


def test_a_fixed_number_is_kept_whatever_else_is_computed() -> None:
    load = MachineLoad()
    controller = ThreadController(UsableCpus(4, 4), load, n_threads=3)
    with load.computing(2):
        assert controller.choose(1) == 3
