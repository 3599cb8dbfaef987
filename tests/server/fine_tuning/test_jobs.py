"""Jobs in processes of their own: how they end, and what they leave."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from models.source import BUNDLED_MODEL
from models.tuning.events import EventLog
from models.tuning.options import TrainingOptions
from models.tuning.records import JobRecord
from models.tuning.store import Store
from server.fine_tuning.job.spec import TRAINING, JobSpec
from server.fine_tuning.process import JobProcess
from tests import stubs
from tests.conftest import running_server
from tests.fine_tunes import needs_torch, wait_until, write_csv
from tests.server.http_client import SECONDS, get, post

JOBS = "/v1/llm/fine-tunes"
LONG = {"epochs": 19, "batch_size": 1}
MANY = {f"Question {number}?": f" Answer {number}." for number in range(400)}
KEY = "secret-key-0123456789"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("jobs")


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    """A server with room for one waiting job, and a package wandb."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(stubs.__file__).parent), prepend=":")
        patch.setenv("WANDB_STUB_LOG", str(folder / "wandb"))
        flags = ("--alias", "bundled", "--fine-tune-path", str(folder / "fine-tunes"), "--fine-tune-allow-local")
        with running_server(folder, *flags, "--fine-tune-max-queue", "1") as started:
            yield started


def upload(url: str, path: Path) -> str:
    with path.open("rb") as file:
        answer = requests.post(f"{url}/v1/files", files={"file": file}, timeout=SECONDS).json()
    identifier: str = answer["id"]
    return identifier


def create(url: str, training_file: str, **fields: Any) -> str:
    response = post(url, {"model": "bundled", "training_file": training_file, **fields}, JOBS)
    assert response.status_code == 200, response.text
    job: str = response.json()["id"]
    return job


def status(url: str, job: str) -> str:
    answer: str = get(f"{url}{JOBS}/{job}").json()["status"]
    return answer


def messages(url: str, job: str) -> list[str]:
    return [event["message"] for event in get(f"{url}{JOBS}/{job}/events").json()["events"]]


def cancel(url: str, job: str) -> bool:
    success: bool = requests.put(f"{url}{JOBS}/{job}/cancel", timeout=SECONDS).json()["success"]
    return success


def wait_for_end(url: str, job: str) -> str:
    wait_until(lambda: status(url, job) not in ("PENDING", "RUNNING"), "the job")
    return status(url, job)


@needs_torch
def test_a_running_job_is_cancelled_and_the_next_one_waits_for_it(url: str, folder: Path, tmp_path: Path) -> None:
    file = upload(url, write_csv(tmp_path / "many.csv", MANY))
    running = create(url, file, hyperparameters=LONG)
    waiting = create(url, file, hyperparameters=LONG)
    full = post(url, {"model": "bundled", "training_file": file}, JOBS)
    assert (full.status_code, full.json()["detail"]) == (429, "a fine-tune runs and 1 wait; try again later")
    wait_until(lambda: bool(messages(url, running)), "the beginning of the training")
    assert (status(url, running), status(url, waiting)) == ("RUNNING", "PENDING")
    assert cancel(url, waiting)
    assert cancel(url, running)
    assert (status(url, running), status(url, waiting)) == ("CANCELLED", "CANCELLED")
    assert messages(url, running)[-1] == "cancelled"
    assert not (folder / "fine-tunes" / "jobs" / running).exists()
    assert not cancel(url, running)
    assert not cancel(url, "ft-unknown")


@pytest.mark.parametrize(
    ("fields", "status", "message"),
    [
        ({"model": "llama-2-7b"}, 404, "model: expected bundled, since no other is loaded, got llama-2-7b"),
        ({"training_file": "file-none"}, 404, "training_file: expected the id of an uploaded file or a URL, got file-"),
        ({"training_file": "data.csv"}, 400, "training_file: expected a URL that starts with http:// or https://"),
        ({"training_file": None}, 400, "training_file: expected a string, got nothing"),
        ({"suffix": "a.b"}, 400, "suffix: expected 1 to 28 letters, digits and hyphens, got 'a.b'"),
        ({"hyperparameters": []}, 400, "hyperparameters: expected an object, got []"),
        ({"hyperparameters": {"epochs": 0}}, 400, "hyperparameters.epochs: expected an integer from 1 to 19, got 0"),
        ({"hyperparameters": {"peft_config": {"target_modules": ["c_attn"]}}}, 400, "hyperparameters.peft_config.targ"),
    ],
)
def test_a_wrong_request_is_refused(fields: dict[str, Any], status: int, message: str, url: str) -> None:
    answer = post(url, {"model": "bundled", "training_file": "file-none"} | fields, JOBS)
    assert (answer.status_code, answer.json()["detail"][: len(message)]) == (status, message)


def test_an_unknown_job_is_not_found(url: str) -> None:
    for path in ("ft-none", "ft-none/events"):
        answer = get(f"{url}{JOBS}/{path}")
        assert answer.status_code == 404
        assert answer.json()["detail"] == "fine_tune_id: expected the id of a fine-tuning job, got ft-none"


def test_a_url_is_read_before_the_job_is_accepted(url: str) -> None:
    with data_server(b"<!DOCTYPE html><html>") as host:
        answer = post(url, {"model": "bundled", "training_file": host}, JOBS)
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("training_file: row 1: expected the columns prompt and response")


def test_without_the_flag_there_are_no_jobs(server: str) -> None:
    for answer in (get(server + JOBS), post(server, {}, JOBS), get(f"{server}/v1/fine_tuning/jobs")):
        assert answer.status_code == 501
        assert "start it with `--fine-tune-path DIR`" in answer.text


def test_a_wrong_row_behind_a_url_fails_the_job(url: str) -> None:
    with data_server(b"prompt,response\nHi,Hello\nWhat?,\n") as host:
        job = create(url, f"{host}/data.csv?signature=1")
        assert wait_for_end(url, job) == "FAILURE"
    assert messages(url, job)[-1] == "training_file: row 3, column response: expected a text, got nothing"
    answer = get(f"{url}/v1/fine_tuning/jobs/{job}").json()
    assert answer["status"] == "failed"
    assert answer["error"]["message"] == messages(url, job)[-1]


@needs_torch
def test_the_key_of_a_report_reaches_neither_disk_nor_log(url: str, folder: Path, tmp_path: Path) -> None:
    file = upload(url, write_csv(tmp_path / "data.csv"))
    options = {"epochs": 1, "report_to": "wandb"}
    wandb = {"api_key": KEY, "project": "airline", "base_url": "http://127.0.0.1:9"}
    job = create(url, file, hyperparameters=options, wandb_config=wandb, suffix="reported")
    assert wait_for_end(url, job) == "SUCCESS"
    first, *metrics, last = [json.loads(line) for line in (folder / "wandb").read_text().splitlines()]
    assert first["key_digest"] == hashlib.sha256(KEY.encode()).hexdigest()
    assert (first["project"], first["base_url"]) == ("airline", "http://127.0.0.1:9")
    assert first["name"].startswith("bundled.reported.")
    assert [line["step"] for line in metrics if "eval_loss" in line] == [1]
    assert last == {"finished": True}
    written = [path for path in folder.rglob("*") if path.is_file()]
    assert folder / "log" in written
    assert [path for path in written if KEY.encode() in path.read_bytes()] == []


def test_a_report_takes_a_key(url: str, tmp_path: Path) -> None:
    file = upload(url, write_csv(tmp_path / "data.csv"))
    body = {"model": "bundled", "training_file": file, "hyperparameters": {"report_to": "wandb"}}
    answer = post(url, body, JOBS)
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("wandb_config.api_key: expected the key of Weights & Biases")


def test_a_queued_job_whose_key_is_lost_fails(tmp_path: Path) -> None:
    store = Store(tmp_path / "fine-tunes")
    options = TrainingOptions(report_to="wandb").to_json()
    store.add_job(JobRecord("ft-1", 1.0, "bundled", "bundled.1", "file-1", None, options, needs_key=True))
    store.close()
    with running_server(tmp_path, "--fine-tune-path", str(tmp_path / "fine-tunes")) as url:
        assert wait_for_end(url, "ft-1") == "FAILURE"
        assert messages(url, "ft-1") == ["the server was stopped, and with it the key of wandb_config is lost"]


@needs_torch
def test_the_process_of_a_job_ends_with_the_server(tmp_path: Path) -> None:
    folder = tmp_path / "ft-1"
    folder.mkdir()
    write_csv(folder / TRAINING, MANY)
    options = TrainingOptions(epochs=19, batch_size=1)
    JobSpec("name", str(BUNDLED_MODEL), "llama", None, 2048, options).write(folder)
    process = JobProcess(folder)
    events = EventLog(tmp_path / "ft-1.jsonl")
    wait_until(lambda: bool(events.read()), "the beginning of the training")
    assert process.wait(0) is None
    process.close_pipe()
    assert process.wait(SECONDS) == 3


@contextmanager
def data_server(content: bytes) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
