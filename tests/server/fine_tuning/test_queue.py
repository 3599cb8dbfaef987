"""JobQueue: how jobs end that are not trained to their end."""

import os
import signal
import time
from pathlib import Path

import pytest

from models.source import BUNDLED_MODEL
from models.tuning.options import TrainingOptions
from models.tuning.records import JobRecord, Status
from models.tuning.store import Store
from server.fine_tuning.job.spec import TRAINING, JobSpec
from server.fine_tuning.queue import JobQueue
from tests import processes
from tests.fine_tunes import wait_until, write_csv

OPTIONS = TrainingOptions(epochs=19, batch_size=1)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def add_job(store: Store, **fields: object) -> JobRecord:
    folder = store.job_folder("ft-1")
    folder.mkdir()
    write_csv(folder / TRAINING)
    JobSpec("name", str(BUNDLED_MODEL), "llama", None, 2048, OPTIONS).write(folder)
    job = JobRecord("ft-1", 1.0, "bundled", "bundled.1", "file-1", None, OPTIONS.to_json(), **fields)  # type: ignore[arg-type]
    store.add_job(job)
    return job


def make_queue(store: Store, timeout: float = 100.0) -> JobQueue:
    return JobQueue(store, timeout, lambda *_: None)


def find(store: Store) -> JobRecord:
    job = store.find_job("ft-1")
    assert job is not None
    return job


def wait_for(store: Store, status: Status) -> JobRecord:
    wait_until(lambda: find(store).status == status, status)
    return find(store)


def children() -> list[int]:
    """Returns the processes of jobs that this one has started."""
    return processes.children("server.fine_tuning.job")


def test_a_job_that_takes_too_long_is_ended(store: Store) -> None:
    add_job(store)
    queue = make_queue(store, timeout=0.3)
    queue.start()
    job = wait_for(store, "TIMEOUT")
    assert job.reason == "the job was ended after 0.3 seconds"
    assert store.events("ft-1").read()[-1].message == job.reason
    assert not store.job_folder("ft-1").exists()
    assert children() == []
    queue.stop()


def test_a_process_that_is_killed_fails_its_job(store: Store) -> None:
    add_job(store)
    queue = make_queue(store)
    queue.start()
    wait_until(lambda: bool(children()), "the process")
    os.kill(children()[0], signal.SIGKILL)
    job = wait_for(store, "FAILURE")
    assert job.reason == "the process of the job was ended by SIGKILL, as the system does when memory is short"
    queue.stop()


def test_a_stopped_queue_leaves_its_job_to_the_next_one(store: Store) -> None:
    add_job(store)
    queue = make_queue(store)
    queue.start()
    wait_until(lambda: bool(children()), "the process")
    queue.stop()
    assert children() == []
    assert find(store).status == "RUNNING"
    assert store.job_folder("ft-1").exists()
    later = make_queue(store, timeout=0.1)
    later.start()
    assert wait_for(store, "TIMEOUT").n_attempts == 2
    assert "the server was stopped and runs again" in [event.message for event in store.events("ft-1").read()]
    later.stop()


def test_a_job_that_never_saves_anything_fails_at_last(store: Store) -> None:
    add_job(store, status="RUNNING", started=time.time(), n_attempts=3)
    queue = make_queue(store)
    queue.start()
    assert wait_for(store, "FAILURE").reason == "the server was stopped 3 times before the job could save anything"
    queue.stop()


def test_a_new_checkpoint_makes_the_attempts_count_from_one(store: Store) -> None:
    add_job(store, status="RUNNING", started=time.time() - 9, n_attempts=3)
    (store.job_folder("ft-1") / "checkpoint.pt").write_bytes(b"")
    queue = make_queue(store, timeout=0.1)
    queue.start()
    assert wait_for(store, "TIMEOUT").n_attempts == 1
    queue.stop()
