"""Heartbeat: whether the engine's thread makes progress, judged by the times of its steps so far. Without a clock."""

MIN_BOUND_SECONDS = 30.0
"""Of a step: a machine may stop for that long without anything being wrong."""
FIRST_BOUND_SECONDS = 300.0
"""Before any step was measured: the first one may have to read the weights from a disk."""
MIN_PREFILL_TOKENS = 32
"""The rate of fewer prompt tokens says nothing about that of many."""
TIMES_LONGEST = 10.0
"""A step is overdue when it takes that many times as long as the longest one expected."""


class Heartbeat:
    """`start` and `end` are called by the engine's thread around each turn of its loop that has work to do, and never
    while it waits for some. Others ask. Times are in seconds."""

    __slots__ = ("_bound", "_fixed_bound", "_longest", "_n_batch", "_seconds_per_token", "_started")

    def __init__(self, n_batch: int, fixed_bound: float | None = None) -> None:
        """`n_batch` is how many tokens a step may have; a `fixed_bound` replaces the one from the times."""
        self._n_batch = n_batch
        self._fixed_bound = fixed_bound
        self._started: float | None = None
        self._longest = 0.0
        self._seconds_per_token = 0.0
        self._bound = FIRST_BOUND_SECONDS

    @property
    def bound(self) -> float:
        """How long a step may take: ten times the longest one so far, or the one that a full batch of prompt tokens
        takes at the slowest rate so far."""
        return self._bound if self._fixed_bound is None else self._fixed_bound

    def start(self, now: float) -> None:
        self._started = now

    def end(self, now: float) -> float:
        """Returns how long it was since the start; 0 if there was none."""
        started, self._started = self._started, None
        if started is None:
            return 0.0
        seconds = now - started
        if seconds > self._longest:
            self._longest = seconds
            self._update_bound()
        return seconds

    def record_prefill(self, n_tokens: int, seconds: float) -> None:
        """Take in the time of a step in which prompt tokens were computed, or of a batch of embeddings."""
        if n_tokens >= MIN_PREFILL_TOKENS and seconds > self._seconds_per_token * n_tokens:
            self._seconds_per_token = seconds / n_tokens
            self._update_bound()

    def seconds_overdue(self, now: float) -> float:
        """Returns by how much the current step takes longer than it may; 0 if it does not. For any thread."""
        started = self._started
        return 0.0 if started is None else max(now - started - self.bound, 0.0)

    def _update_bound(self) -> None:
        expected = max(self._longest, self._n_batch * self._seconds_per_token)
        self._bound = max(MIN_BOUND_SECONDS, TIMES_LONGEST * expected)
