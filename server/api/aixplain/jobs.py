"""Jobs: executions in the background, and their results until they are fetched or too old."""

import asyncio
import hashlib
import logging
import secrets
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import orjson

from server.http.dialect import ErrorFormat
from server.http.errors import ApiError
from slots.errors import EngineError, QueueFull

MAX_JOBS = 1024
MAX_BYTES = 64 * 1024 * 1024
"""Of the prompts of jobs that run, and the results of those that have ended."""
MAX_SECONDS = 3600
"""For which a job may run, and for which its result is kept."""

Work = Callable[[Callable[[], None]], Coroutine[Any, Any, object]]
"""Returns the JSON of a result. It calls its argument as soon as nothing but the computing can fail."""

logger = logging.getLogger("server")


@dataclass(slots=True)
class Job:
    owner: bytes
    """Digest of the API key that it belongs to."""
    n_bytes: int
    """Of its prompt while it runs, then of its result."""
    result: bytes | None = None
    """JSON; None while it runs."""
    ended: float = 0.0
    task: "asyncio.Task[object] | None" = field(default=None, repr=False)


class Jobs:
    """Event loop only."""

    def __init__(
        self,
        format_error: ErrorFormat,
        *,
        max_jobs: int = MAX_JOBS,
        max_bytes: int = MAX_BYTES,
        max_seconds: float = MAX_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`format_error` makes the result of a job that failed."""
        self._format_error = format_error
        self._max_jobs = max_jobs
        self._max_bytes = max_bytes
        self._max_seconds = max_seconds
        self._clock = clock
        self._jobs: dict[str, Job] = {}

    async def start(self, key: bytes, n_bytes: int, work: Work) -> str:
        """Runs `work` in the background, and returns the id of the job once it is accepted. `n_bytes` is what it holds
        in memory while it runs.

        Raises QueueFull for more jobs than may run, and what `work` raises before it is accepted.
        """
        self._make_room(n_bytes)
        accepted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._run(work, lambda: accepted.set_result(None)))
        job = Job(_digest(key), n_bytes, task=task)
        job_id = secrets.token_urlsafe(18)
        self._jobs[job_id] = job
        either: tuple[asyncio.Future[Any], ...] = (task, accepted)
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not accepted.done():
            del self._jobs[job_id]
            task.result()  # which raises
        task.add_done_callback(lambda _: self._end(job_id, job, task))
        return job_id

    def find(self, job_id: str, key: bytes) -> Job:
        """Raises ApiError (404) for a job that is unknown, was forgotten, or belongs to another key."""
        self._forget_old()
        job = self._jobs.get(job_id)
        if job is None or not secrets.compare_digest(job.owner, _digest(key)):
            minutes = round(self._max_seconds / 60)
            known = f"a job of this API key that runs or ended within {minutes} minutes"
            raise ApiError(404, f"job: expected {known}, got {job_id}", field="job")
        return job

    async def _run(self, work: Work, on_accepted: Callable[[], None]) -> object:
        try:
            async with asyncio.timeout(self._max_seconds):
                return await work(on_accepted)
        except TimeoutError:
            raise ApiError(504, f"the job was ended after {self._max_seconds:g} seconds") from None

    def _end(self, job_id: str, job: Job, task: "asyncio.Task[object]") -> None:
        if task.cancelled():  # the server stops
            return
        job.ended, job.task = self._clock(), None
        error = task.exception()
        job.result = orjson.dumps(task.result() if error is None else self._failure(error))
        job.n_bytes = len(job.result)
        if job.n_bytes > self._max_bytes:
            job.result = orjson.dumps(self._failure(ApiError(500, f"the result has more than {self._max_bytes} bytes")))
            job.n_bytes = len(job.result)
        # The latest to end, and the last to be forgotten.
        self._jobs[job_id] = self._jobs.pop(job_id)
        self._forget_while(lambda: self._n_bytes > self._max_bytes)

    def _failure(self, error: BaseException) -> object:
        if not isinstance(error, EngineError | ApiError):
            logger.error("a job failed", exc_info=error)
        return self._format_error(error if isinstance(error, Exception) else RuntimeError()).body()

    @property
    def _n_bytes(self) -> int:
        return sum(job.n_bytes for job in self._jobs.values())

    def _make_room(self, n_bytes: int) -> None:
        self._forget_old()
        self._forget_while(lambda: len(self._jobs) >= self._max_jobs or self._n_bytes + n_bytes > self._max_bytes)
        if len(self._jobs) >= self._max_jobs or self._n_bytes + n_bytes > self._max_bytes:
            raise QueueFull(f"{len(self._jobs)} jobs run, which is as much as may run at once; try again later")

    def _forget_old(self) -> None:
        oldest = self._clock() - self._max_seconds
        for job_id, job in list(self._jobs.items()):
            if job.result is not None and job.ended < oldest:
                del self._jobs[job_id]

    def _forget_while(self, is_full: Callable[[], bool]) -> None:
        """Forgets those that ended first."""
        ended = sorted((job.ended, job_id) for job_id, job in self._jobs.items() if job.result is not None)
        for _, job_id in ended:
            if not is_full():
                return
            del self._jobs[job_id]


def _digest(key: bytes) -> bytes:
    return hashlib.blake2b(key).digest()
