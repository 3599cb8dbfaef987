"""JobQueue: a thread that runs the jobs of a store, one after the other, and records how they end."""

import json
import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile

from models.tuning.records import AdapterRecord, JobRecord, Status
from models.tuning.store import Store
from server.fine_tuning.job.spec import RESULT
from server.fine_tuning.process import JobProcess, OnProgress

POLL_SECONDS = 0.05
MAX_ATTEMPTS = 3
"""Runs that a stop of the server may cut off before a job has saved anything new."""

logger = logging.getLogger("server")

Publish = Callable[[str, Path], None]
"""Makes an adapter available under its name. Blocks. Raises an exception whose message says why it cannot."""


class PublishError(Exception):
    """An adapter that cannot be served. The message says why."""


@dataclass(frozen=True, slots=True)
class Outcome:
    status: Status
    reason: str | None = None


class JobQueue:
    def __init__(self, store: Store, timeout: float, publish: Publish, on_progress: OnProgress | None = None) -> None:
        """A run of a job may take `timeout` seconds. `on_progress` is called in a thread of its own."""
        self._store, self._timeout, self._publish = store, timeout, publish
        self._on_progress = on_progress
        self._keys: dict[str, str] = {}
        """Of reports, by job; never written to disk."""
        self._wake = threading.Event()
        self._is_stopping = False
        self._running: str | None = None
        self._cancelled: set[str] = set()
        self._process: JobProcess | None = None
        self._ended = threading.Condition()
        self._thread = threading.Thread(target=self._run_all, name="fine-tunes", daemon=True)

    def start(self) -> None:
        """Goes on with what an earlier process has left."""
        for job in self._store.unfinished_jobs():
            if job.status == "RUNNING":
                self._store.update_job(job.id, status="PENDING")
                self._store.events(job.id).say("the server was stopped and runs again", "warning")
        self._thread.start()

    def add(self, job: JobRecord, key: str = "") -> None:
        """Runs a job after those before it. `key` is for its reports."""
        if key:
            self._keys[job.id] = key
        self._store.add_job(job)
        self._wake.set()

    def run(self, job: JobRecord) -> JobRecord:
        """Runs a job now, in this thread and instead of `start`. Returns what has become of it. What ends this thread,
        such as KeyboardInterrupt, cancels it."""
        try:
            outcome = self._run(job)
        except BaseException:
            self._record(job, Outcome("CANCELLED"))
            raise
        if outcome is not None:
            self._record(job, outcome)
        return self._store.find_job(job.id) or job

    def cancel(self, job_id: str) -> bool:
        """Ends a job. Blocks for at most some seconds, until its process is gone. Returns whether it was cancelled,
        which a finished or unknown one is not."""
        with self._ended:
            self._cancelled.add(job_id)
            self._wake.set()
            if self._running != job_id:
                self._cancelled.discard(job_id)
                return self._cancel_waiting(job_id)
            self._ended.wait_for(lambda: self._running != job_id)
            self._cancelled.discard(job_id)
        job = self._store.find_job(job_id)
        return job is not None and job.status == "CANCELLED"

    def _cancel_waiting(self, job_id: str) -> bool:
        job = self._store.find_job(job_id)
        if job is None or job.status != "PENDING":
            return False
        self._record(job, Outcome("CANCELLED"))
        return True

    def stop(self) -> None:
        """Ends the process of the running job, which a later server goes on with. Blocks for at most some seconds."""
        self._is_stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run_all(self) -> None:
        while not self._is_stopping:
            self._wake.clear()
            with self._ended:
                job = self._store.next_job()
                self._running = job.id if job else None
            if job is None:
                self._wake.wait()
                continue
            try:
                outcome = self._run(job)
            except Exception as error:
                logger.exception("the fine-tune %s failed inside the server", job.id)
                outcome = Outcome("FAILURE", f"the server failed: {error}")
            with self._ended:
                if outcome is not None:
                    self._record(job, outcome)
                self._running = None
                self._ended.notify_all()

    def _run(self, job: JobRecord) -> Outcome | None:
        """Returns how a job has ended; None if the server stops before."""
        if job.needs_key and job.id not in self._keys:
            return Outcome("FAILURE", "the server was stopped, and with it the key of wandb_config is lost")
        folder = self._store.job_folder(job.id)
        n_attempts = 1 if _has_advanced(folder, job.started) else job.n_attempts + 1
        if n_attempts > MAX_ATTEMPTS:
            return Outcome("FAILURE", f"the server was stopped {MAX_ATTEMPTS} times before the job could save anything")
        self._store.update_job(job.id, status="RUNNING", started=time.time(), n_attempts=n_attempts)
        logger.info("The fine-tune %s starts: %s", job.id, job.name)
        (folder / RESULT).unlink(missing_ok=True)
        process = JobProcess(folder, self._keys.get(job.id, ""), self._on_progress)
        try:
            outcome = self._wait(job, process)
        except BaseException:
            process.stop()
            raise
        return self._finish(job, folder) if outcome and outcome.status == "SUCCESS" else outcome

    def _wait(self, job: JobRecord, process: JobProcess) -> Outcome | None:
        deadline = time.monotonic() + self._timeout
        while (code := process.wait(POLL_SECONDS)) is None:
            if job.id in self._cancelled:
                process.stop()
                return Outcome("CANCELLED")
            if self._is_stopping:
                process.stop()
                return None
            if time.monotonic() > deadline:
                process.stop()
                return Outcome("TIMEOUT", f"the job was ended after {self._timeout:g} seconds")
        if code == 0:
            return Outcome("SUCCESS")
        return Outcome("FAILURE", self._explain(job, code))

    def _explain(self, job: JobRecord, code: int) -> str:
        if code < 0:
            name = signal.Signals(-code).name
            hint = ", as the system does when memory is short" if name == "SIGKILL" else ""
            return f"the process of the job was ended by {name}{hint}"
        errors = [event.message for event in self._store.events(job.id).read() if event.level == "error"]
        return errors[-1] if errors else f"the process of the job ended with the code {code}"

    def _finish(self, job: JobRecord, folder: Path) -> Outcome | None:
        """Makes the adapter of a job that is done available. Returns None if the server stops before it is."""
        path = self._store.adapter_path(job.name)
        copy_file(folder / "adapter.gguf", path)
        try:
            self._publish(job.name, path)
        except PublishError as error:
            if self._is_stopping:
                return None
            path.unlink(missing_ok=True)
            return Outcome("FAILURE", f"the adapter cannot be served: {error}")
        result = json.loads((folder / RESULT).read_text())
        self._store.add_adapter(AdapterRecord(job.name, job.id, job.model_digest, time.time()))
        self._store.update_job(job.id, n_tokens=result["n_tokens"])
        return Outcome("SUCCESS")

    def _record(self, job: JobRecord, outcome: Outcome) -> None:
        events = self._store.events(job.id)
        if outcome.status == "SUCCESS":
            events.say(f"the model {job.name} is ready")
        elif outcome.reason and (not (known := events.read()) or known[-1].message != outcome.reason):
            events.say(outcome.reason, "error")
        elif outcome.status == "CANCELLED":
            events.say("cancelled")
        self._store.update_job(job.id, status=outcome.status, reason=outcome.reason, finished=time.time())
        self._store.clean_job(job.id)
        self._keys.pop(job.id, None)
        level = logging.INFO if outcome.status in ("SUCCESS", "CANCELLED") else logging.WARNING
        reason = f": {outcome.reason}" if outcome.reason else ""
        logger.log(level, "The fine-tune %s has ended with %s%s", job.id, outcome.status, reason)


def copy_file(source: Path, target: Path) -> None:
    """Gives a file a second name, or copies it where the file system has no such thing. Nobody else may read it."""
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT, 0o600))
        copyfile(source, target)


def _has_advanced(folder: Path, since: float | None) -> bool:
    """Whether a job has saved a checkpoint since it was started last."""
    checkpoint = folder / "checkpoint.pt"
    return since is None or (checkpoint.exists() and checkpoint.stat().st_mtime > since)
