"""Tuner: chooses the number of threads for the steps of one shape.

steps with the current number --- more time lost than a trial costs ---> urgent trial of fewer ------+
   ^            |                                                                                    |
   |            +--- enough time since the last one ---------------------> trial of another number --+
   |                                                                                                 |
   +--- the faster number ----------------------------------------------------------------------------+
"""

from collections import deque

from slots.threads.search import NumberSearch
from slots.threads.trial import MIN_BLOCK_SECONDS, Trial

MIN_SPACING, MAX_SPACING = 100.0, 200.0
"""Seconds of steps from a trial to the next one, for each second that it took longer: trials take 0.5 to 1% of the
time."""
MAX_WAIT = 20.0
"""The same in seconds at most, so that a free machine is noticed, unless that is less than `MIN_LONG_SPACING`."""
MIN_LONG_SPACING = 40.0

_MIN_WAIT = 0.25
_SPACING_GROWTH = 1.25
_RETURN_WAIT = 0.1
"""Seconds after which an urgent change is looked at again: what caused it may have been short."""
_MIN_RETURN_SPACING = 10.0
"""The same, for each second that a step with the number left before has taken longer, and from a trial to one that is
made because steps have become faster."""
_MAX_FIRST_COST = 0.1
"""Seconds that the first trial may be expected to take longer, if nothing is known of the machine. A more expensive one
waits for `_FIRST_SPACING` times as long."""
_FIRST_SPACING = 2.0

_USUAL_WEIGHT = 1 / 16
_MAX_OUTLIER = 2.0
_TOLERANCE = 1.15
"""Only what a step takes longer than this many times the usual time is lost."""
_MIN_LOSS_STEPS = 0.3
_MAX_CAUTION = 16.0
_MIN_GAINED_STEPS = 0.5
"""Steps whose time was gained lately, from which on more threads are tried: another program has ended."""
_MIN_RECENT = 2


class _Recent:
    """The latest steps with the current number, as many as a block of a trial has."""

    __slots__ = ("_steps", "seconds", "work")

    def __init__(self) -> None:
        self._steps: deque[tuple[float, int]] = deque()
        self.seconds = 0.0
        self.work = 0

    def add(self, seconds: float, work: int) -> None:
        self._steps.append((seconds, work))
        self.seconds += seconds
        self.work += work
        while len(self._steps) > _MIN_RECENT and self.seconds - self._steps[0][0] >= MIN_BLOCK_SECONDS:
            oldest = self._steps.popleft()
            self.seconds -= oldest[0]
            self.work -= oldest[1]

    @property
    def is_full(self) -> bool:
        return len(self._steps) >= _MIN_RECENT and self.seconds >= MIN_BLOCK_SECONDS

    @property
    def mean(self) -> float:
        """Seconds for a unit of work."""
        return self.seconds / self.work

    def clear(self) -> None:
        self._steps.clear()
        self.seconds, self.work = 0.0, 0


class ThreadTuner:
    """Seconds come from outside, and time is what steps took."""

    def __init__(self, n_threads: int, n_max: int, *, is_first: bool) -> None:
        """Starts with `n_threads`, at most `n_max`. `is_first` says that nothing is known of the machine yet."""
        self.n_threads = n_threads
        """The current number: the fastest so far."""
        self.is_urgent = False
        """Whether the latest change of the number was urgent: the machine has changed."""
        self._search = NumberSearch(n_max)
        self._trial: Trial | None = None
        self._recent = _Recent()
        self._usual = 0.0
        """Seconds for a unit of work, on average over the last steps with the current number."""
        self._n_usual = 0
        self._lost = self._gained = 0.0
        """Seconds that steps took longer, or less, than usual, lately."""
        self._caution = 1.0
        self._costs: dict[int, float] = {}
        """How much longer the latest trial of a number took, in seconds."""
        self._seconds = 0.0
        self._is_first = is_first
        self._spacing = MIN_SPACING
        self._next_trial: float | None = None
        """On the clock of `_seconds`; None before the first trial is planned."""
        self._return = float("inf")
        self._earliest_return = 0.0
        self._direction = 0
        """In which to search on, after a change: -1 for fewer, 1 for more."""
        self._n_steps = 0
        self._latest_work = 0

    def choose(self) -> int:
        """Returns the number of threads for the next step."""
        if self._trial is None and self._n_steps > 1:
            self._trial = self._plan_trial()
            if self._trial:
                self._search.note_trial(self._trial.candidate)
        return self._trial.n_threads if self._trial else self.n_threads

    def record(self, n_threads: int, seconds: float, work: int) -> None:
        """Take in a step that took `seconds` for `work`."""
        self._n_steps += 1
        if self._n_steps == 1:  # it also takes what is allocated at first use
            return
        self._seconds += seconds
        self._latest_work = work
        trial = self._trial
        if trial is None:
            if n_threads == self.n_threads:
                self._record_current(seconds, work)
        elif n_threads == trial.n_threads:
            trial.record(seconds, work)
            if trial.is_won is not None:
                self._trial = None
                self._finish(trial, trial.is_won)

    def set_number(self, n_threads: int) -> None:
        """Use another number from now on, after the steps of another shape have found it."""
        if n_threads != self.n_threads:
            self._change(n_threads, 0.0)
            self._return = float("inf")
            self._direction = 0
            self._next_trial = self._seconds + _MIN_WAIT

    def interrupt(self) -> None:
        """Forget the latest steps: the next one does not follow them."""
        self._trial = None
        self._lost = self._gained = 0.0
        self._recent.clear()

    def _record_current(self, seconds: float, work: int) -> None:
        self._recent.add(seconds, work)
        self._n_usual += 1
        usual = self._usual * work
        if self._n_usual > 1:
            self._lost = max(0.0, self._lost + seconds - _TOLERANCE * usual)
            self._gained = max(0.0, self._gained + usual / _TOLERANCE - seconds)
            seconds = min(seconds, _MAX_OUTLIER * usual)
        self._usual += max(_USUAL_WEIGHT, 1 / self._n_usual) * (seconds / work - self._usual)

    def _plan_trial(self) -> Trial | None:
        current, recent = self.n_threads, self._recent
        if self._lost and self._is_slow():
            return Trial(current, current // 2, recent.mean, is_urgent=True)
        candidate = self._candidate() if recent.is_full else None
        return Trial(current, candidate, recent.mean, is_urgent=False) if candidate else None

    def _is_slow(self) -> bool:
        if self.n_threads == 1:
            return False
        cost = self._caution * self._expected_cost(self.n_threads // 2)
        return self._lost > max(cost, _MIN_LOSS_STEPS * self._usual * self._latest_work)

    def _candidate(self) -> int | None:
        """Returns the number to try now, if it is time for a trial."""
        current = self.n_threads
        if self._direction:
            onward = self._search.below(current) if self._direction < 0 else self._search.above(current)
            self._direction = 0
            if onward:
                return onward
        if self._gained > _MIN_GAINED_STEPS * self._usual * self._latest_work:
            self._gained = 0.0
            self._return = min(self._return, max(self._seconds, self._earliest_return))
        if self._seconds >= self._return:
            self._return = float("inf")
            return self._search.above(current) or self._search.slower_above(current)
        candidate = self._search.neighbour(current)
        if candidate is None:
            return None
        if self._next_trial is None:
            cost = self._expected_cost(candidate)
            is_cheap = self._is_first and cost <= _MAX_FIRST_COST
            self._next_trial = self._seconds + (0.0 if is_cheap else _FIRST_SPACING * cost)
        return candidate if self._seconds >= self._next_trial else None

    def _expected_cost(self, candidate: int) -> float:
        """Returns by how many seconds a trial takes longer: as the last one of this number, else as if the work of a
        thread took its time whatever others do."""
        block = max(MIN_BLOCK_SECONDS, self._usual * self._latest_work)
        return self._costs.get(candidate, block * max(self.n_threads / candidate - 1, 0.5))

    def _finish(self, trial: Trial, is_won: bool) -> None:
        self._lost = self._gained = 0.0
        self._recent.clear()
        if is_won:
            self._adopt(trial)
            return
        self._costs[trial.candidate] = cost = trial.excess_seconds
        self._search.mark_slower(trial.candidate)
        if trial.is_urgent:
            self._caution = min(2 * self._caution, _MAX_CAUTION)
            return
        wait = max(min(self._spacing * cost, MAX_WAIT), MIN_LONG_SPACING * cost, _MIN_WAIT)
        self._next_trial = self._seconds + wait
        self._earliest_return = self._seconds + _MIN_RETURN_SPACING * cost
        self._spacing = min(_SPACING_GROWTH * self._spacing, MAX_SPACING)

    def _adopt(self, trial: Trial) -> None:
        before = self.n_threads
        if trial.is_urgent:
            self._search.forget()
            self._costs.clear()
            cost = (trial.current_mean - trial.candidate_mean) * self._latest_work
            self._return = self._seconds + max(_RETURN_WAIT, _MIN_RETURN_SPACING * cost)
            self._earliest_return = self._return
        self.is_urgent = trial.is_urgent
        self._change(trial.candidate, trial.candidate_mean)
        self._search.mark_slower(before)
        self._direction = -1 if trial.candidate < before else 1
        self._next_trial = self._seconds + _MIN_WAIT

    def _change(self, n_threads: int, usual: float) -> None:
        self.n_threads = n_threads
        self._usual, self._n_usual = usual, 1 if usual else 0
        self._lost = self._gained = 0.0
        self._caution, self._spacing = 1.0, MIN_SPACING
        self._recent.clear()
        self._trial = None
