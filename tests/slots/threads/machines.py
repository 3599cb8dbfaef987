"""Simulated machines: how long steps take with a number of threads, while other programs run."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from slots.machine import UsableCpus
from slots.threads import MachineLoad, ThreadController


@dataclass
class Machine:
    """Cores, some of them slower than others, and programs that need one each."""

    n_cores: int = 2
    n_slow: int = 0
    """Efficiency cores among them."""
    slow_speed: float = 0.5
    n_busy: int = 0
    noise: float = 0.03
    """Standard deviation, as a share of a step's time."""
    outliers: float = 0.0
    """Share of the steps that take some times as long, on an idle machine too."""
    lost_core: float = 3.0
    """How many times as long a step takes for each thread without a core of its own."""
    draws: random.Random = field(default_factory=lambda: random.Random(1))

    def mean(self, model: "Model", n_tokens: int, n_threads: int) -> float:
        """Returns the seconds of a step on average, without outliers."""
        n_fast = self.n_cores - self.n_slow
        slowest = 1.0 if n_threads <= n_fast else self.slow_speed
        seconds = model.serial + model.barrier * (n_threads - 1)
        seconds += model.work(n_tokens) * max(1 / n_threads / slowest, 1 / (n_fast + self.n_slow * self.slow_speed))
        without = n_threads - max(self.n_cores - self.n_busy, 0)
        if n_threads == 1:
            return seconds * max(1.0, (self.n_busy + 1) / self.n_cores)
        return seconds * self.lost_core ** min(without, 3) if without > 0 else seconds

    def seconds(self, model: "Model", n_tokens: int, n_threads: int) -> float:
        factor = max(0.5, self.draws.gauss(1, self.noise))
        if self.n_busy and n_threads > 1 and n_threads > self.n_cores - self.n_busy:
            factor *= self.draws.lognormvariate(-0.18, 0.6)
        if self.draws.random() < self.outliers:
            factor *= self.draws.uniform(2, 6)
        return factor * self.mean(model, n_tokens, n_threads)

    def best(self, model: "Model", n_tokens: int) -> tuple[int, float]:
        """Returns the fastest number of threads, and its seconds for a step."""
        return min(
            ((number, self.mean(model, n_tokens, number)) for number in range(1, self.n_cores + 1)),
            key=lambda each: each[1],
        )


@dataclass(frozen=True)
class Model:
    """Seconds of a step: with one thread, and what threads cost."""

    weights: float = 0.010
    """For a step of one token."""
    per_token: float = 0.0005
    """For each further token."""
    serial: float = 0.0005
    barrier: float = 0.00005

    def work(self, n_tokens: int) -> float:
        return self.weights + self.per_token * (n_tokens - 1)


@dataclass
class Run:
    """What a controller chose, and what that took."""

    numbers: list[int] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        return sum(self.times)


class Simulation:
    """A context's controller on a machine that may change from step to step."""

    def __init__(self, machine: Machine, model: Model | None = None, load: MachineLoad | None = None) -> None:
        self.machine = machine
        self.model = model or Model()
        cpus = UsableCpus(machine.n_cores, machine.n_cores)
        self.controller = ThreadController(cpus, load or MachineLoad())

    def run(self, n_steps: int, n_tokens: int | Sequence[int] = 1) -> Run:
        """Run steps of these numbers of tokens in turns."""
        return self._run(n_tokens, lambda run: len(run.times) < n_steps)

    def run_for(self, seconds: float, n_tokens: int | Sequence[int] = 1) -> Run:
        return self._run(n_tokens, lambda run: run.seconds < seconds)

    def _run(self, n_tokens: int | Sequence[int], continues: Callable[[Run], bool]) -> Run:
        sizes = [n_tokens] if isinstance(n_tokens, int) else n_tokens
        run = Run()
        while continues(run):
            size = sizes[len(run.times) % len(sizes)]
            number = self.controller.choose(size)
            seconds = self.machine.seconds(self.model, size, number)
            self.controller.record(size, seconds)
            run.numbers.append(number)
            run.times.append(seconds)
        return run
