"""Controller: how many threads each step of a context uses."""

from slots.machine import UsableCpus
from slots.threads.load import MachineLoad
from slots.threads.shape import Kind, step_kind, step_shape, step_work
from slots.threads.tuner import ThreadTuner

_MAX_GAP = 64
"""Steps of other shapes after which those before are not compared with the next ones."""
_NEAR = 4
"""Factor up to which the number of tokens of a shape is near that of another, whose number of threads it starts
with."""


class _Shape:
    """A shape of steps, with what was last seen of it."""

    __slots__ = ("kind", "latest_step", "load_version", "n_before_limit", "tuner")

    def __init__(self, kind: Kind, tuner: ThreadTuner, load_version: int) -> None:
        self.kind: Kind = kind
        self.tuner = tuner
        self.load_version = load_version
        self.latest_step = 0
        self.n_before_limit: int | None = None


class ThreadController:
    """Chooses before each step, and learns from its seconds. Without a clock, and tested without a model."""

    def __init__(self, cpus: UsableCpus, load: MachineLoad, *, n_threads: int = 0, n_threads_batch: int = 0) -> None:
        """`n_threads` fixes the number for steps of one token, `n_threads_batch` that of all others, by default to
        `n_threads`; 0 fixes none."""
        self.n_max = max(cpus.n_threads, n_threads, n_threads_batch)
        """No step uses more threads."""
        self.n_in_use = n_threads or cpus.n_cores
        """Threads of the latest step."""
        self._cpus = cpus
        self._load = load
        self._n_fixed = n_threads
        self._n_fixed_batch = n_threads_batch or n_threads
        self._shapes: dict[int, _Shape] = {}
        self._latest: dict[Kind, int] = {
            "few": n_threads or cpus.n_cores,
            "many": n_threads_batch or n_threads or cpus.n_cores,
        }
        self._n_steps = 0
        self._n_elsewhere = 0

    def n_latest(self, kind: Kind) -> int:
        """Returns the threads of the latest step of a kind, or those that the first one will use."""
        return self._latest[kind]

    def choose(self, n_tokens: int) -> int:
        """Returns the number of threads for a step of this many tokens, at least 1."""
        n_threads = (self._n_fixed if n_tokens == 1 else self._n_fixed_batch) or self._choose(n_tokens)
        self.n_in_use = self._latest[step_kind(n_tokens)] = n_threads
        return n_threads

    def record(self, n_tokens: int, seconds: float) -> None:
        """Take in that the step for which `choose` was called last took `seconds`."""
        shape = self._shapes.get(step_shape(n_tokens))
        if shape is None or (self._n_fixed if n_tokens == 1 else self._n_fixed_batch):
            return
        tuner = shape.tuner
        before = tuner.n_threads
        tuner.record(self.n_in_use, seconds, step_work(n_tokens))
        if tuner.n_threads != before:
            self._share_change(shape, before)

    def _choose(self, n_tokens: int) -> int:
        if self._cpus.n_threads == 1:
            return 1
        self._n_steps += 1
        number = step_shape(n_tokens)
        shape = self._shapes.get(number)
        if shape is None:
            shape = self._shapes[number] = self._new_shape(number)
        if self._n_steps - shape.latest_step > _MAX_GAP:
            shape.tuner.interrupt()
        shape.latest_step = self._n_steps
        self._follow_load(shape)
        return min(shape.tuner.choose(), self._n_left())

    def _n_left(self) -> int:
        """Returns the most threads that leave their cores to what this process computes beside steps. That comes and
        goes at known times, so nothing has to be found out: tuners take in no steps with fewer threads than theirs."""
        if self._load.n_elsewhere != self._n_elsewhere:
            self._n_elsewhere = self._load.n_elsewhere
            for shape in self._shapes.values():
                shape.tuner.interrupt()
        return max(self._cpus.n_cores - self._n_elsewhere, 1) if self._n_elsewhere else self.n_max

    def _new_shape(self, number: int) -> _Shape:
        """Starts with the number of a near shape, else within the limit of the machine."""
        kind = step_kind(number)
        near = [other for other in self._shapes if step_kind(other) == kind and 1 / _NEAR <= other / number <= _NEAR]
        if near:
            nearest = min(near, key=lambda other: max(other / number, number / other))
            n_threads = self._shapes[nearest].tuner.n_threads
        else:
            n_threads = min(self._cpus.n_cores, self._load.limit(kind) or self._cpus.n_cores)
        tuner = ThreadTuner(n_threads, self._cpus.n_threads, is_first=not near)
        return _Shape(kind, tuner, self._load.version(kind))

    def _follow_load(self, shape: _Shape) -> None:
        """Take over what the steps of another shape or context have found since the last step of this one."""
        version = self._load.version(shape.kind)
        if version == shape.load_version:
            return
        shape.load_version = version
        limit, tuner = self._load.limit(shape.kind), shape.tuner
        if limit is not None and tuner.n_threads > limit:
            shape.n_before_limit = tuner.n_threads
            tuner.set_number(limit)
        elif shape.n_before_limit is not None and (limit is None or tuner.n_threads < limit):
            tuner.set_number(min(shape.n_before_limit, limit or shape.n_before_limit))
            shape.n_before_limit = None

    def _share_change(self, shape: _Shape, n_before: int) -> None:
        """Tell the other shapes and contexts how many threads the machine has room for, if that has changed."""
        n_threads, limit = shape.tuner.n_threads, self._load.limit(shape.kind)
        if shape.tuner.is_urgent:
            self._load.set_limit(shape.kind, n_threads)
        elif limit is not None and n_threads > n_before:
            self._load.set_limit(shape.kind, n_threads if n_threads < self._cpus.n_cores else None)
        else:
            return
        shape.load_version = self._load.version(shape.kind)
