"""Clients that cut, crowd or pipeline their requests: everybody else is served, and no slot stays busy."""

import json
import resource
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import pytest
import requests

from tests.conftest import running_server
from tests.server.http_client import SECONDS, Json, complete, get, get_error, post
from tests.server.program import PROGRAM, running

N_CROWD = 200
LONG = {"prompt": "Once upon a time", "n_predict": -1, "ignore_eos": True, "stream": True}
SHORT = {"prompt": "Once upon a time", "n_predict": 2, "temperature": 0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rough")


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    flags = ("--no-mmproj", "--fine-tune-path", str(folder / "jobs"), "--slot-save-path", str(folder))
    with running_server(folder, *flags) as started:
        yield started


def request_bytes(path: str, body: Json, *, length: int | None = None) -> bytes:
    data = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(data) if length is None else length}\r\n\r\n"
    return head.encode() + data


def connect(url: str) -> socket.socket:
    address = urlsplit(url)
    return socket.create_connection((str(address.hostname), address.port or 80), timeout=SECONDS)


def wait_until_idle(url: str) -> None:
    deadline = time.monotonic() + SECONDS
    while any(slot["is_processing"] for slot in get(f"{url}/slots").json()):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def read_until(connection: socket.socket, end: bytes, count: int) -> bytes:
    """Returns what arrives until it holds `end` so many times."""
    received = b""
    while received.count(end) < count:
        piece = connection.recv(65536)
        assert piece, received
        received += piece
    return received


def test_requests_that_are_cut_anywhere_leave_no_slot_busy(url: str) -> None:
    before, rng = complete(url)["content"], Random(1)
    for index in range(60):
        whole = request_bytes("/completion", LONG | {"stream": index % 2 == 0})
        with connect(url) as connection:
            connection.sendall(whole[: rng.choice((len(whole), rng.randrange(1, len(whole))))])
            time.sleep(rng.random() / 50)
    wait_until_idle(url)
    assert complete(url)["content"] == before


def test_two_hundred_clients_at_once_are_all_answered(url: str) -> None:
    expected = complete(url, **SHORT)["content"]
    with ThreadPoolExecutor(N_CROWD) as pool:
        texts = list(pool.map(lambda _: complete(url, **SHORT)["content"], range(N_CROWD)))
    assert texts == [expected] * N_CROWD


def test_pipelined_requests_are_answered_in_their_order(url: str) -> None:
    bodies: list[Json] = [{"content": "a" * length} for length in (1, 20, 3)]
    with connect(url) as connection:
        connection.sendall(b"".join(request_bytes("/tokenize", body) for body in bodies))
        answers = read_until(connection, b'{"tokens":', len(bodies))
    lengths = [len(part.partition(b"]")[0].split(b",")) for part in answers.split(b'{"tokens":[')[1:]]
    assert lengths[0] == 1
    assert lengths[1] > lengths[2] >= lengths[0]


def test_client_that_reads_nothing_delays_nobody(url: str) -> None:
    with connect(url) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        connection.sendall(request_bytes("/completion", LONG | {"n_probs": 50}))
        started = time.monotonic()
        for _ in range(5):
            complete(url, **SHORT)
        assert time.monotonic() - started < SECONDS / 4
    wait_until_idle(url)


def test_upload_that_is_cut_leaves_no_file(url: str, folder: Path) -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
    with connect(url) as connection:
        start = b"POST /v1/files HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n"
        connection.sendall(start + b"Content-Type: multipart/form-data; boundary=x\r\n\r\n" + head + b"a" * 400_000)
        time.sleep(0.2)
    deadline = time.monotonic() + SECONDS
    while left := [path for path in (folder / "jobs").rglob("*upload*") if path.is_file()]:
        assert time.monotonic() < deadline, left
        time.sleep(0.05)
    assert get(f"{url}/v1/files").json()["files"] == []


def test_slots_are_saved_and_restored_while_all_of_them_generate(url: str) -> None:
    before = complete(url)["content"]
    stop = threading.Event()

    def generate() -> None:
        while not stop.is_set():
            complete(url, n_predict=40, ignore_eos=True)

    def save_and_restore(slot: int) -> list[str]:
        """Returns what was refused."""
        complete(url, id_slot=slot)
        actions = [f"/slots/{slot}?action={action}" for action in ("save", "restore")] * 8
        answers = [post(url, {"filename": f"{slot}.bin"}, path) for path in actions]
        return [answer.text for answer in answers if answer.status_code != 200]

    with ThreadPoolExecutor(8) as pool:
        generating = [pool.submit(generate) for _ in range(4)]
        refused = list(pool.map(save_and_restore, range(4)))
        stop.set()
        for each in generating:
            each.result()
    assert not any(refused)
    assert complete(url)["content"] == before


def test_a_full_disk_is_told_in_words_and_ends_nothing(tmp_path: Path) -> None:
    """The limit of a process for the size of its files stands for the disk."""
    flags = ("--no-mmproj", "--fine-tune-path", str(tmp_path / "jobs"), "--slot-save-path", str(tmp_path))
    with running(tmp_path, *PROGRAM, "--threads", "1", *flags) as program:
        url = program.ready_url()
        before = complete(url, id_slot=0)["content"]
        resource.prlimit(program.process.pid, resource.RLIMIT_FSIZE, (7_000, 7_000))
        saved = post(url, {"filename": "a.bin"}, "/slots/0?action=save")
        uploads = [
            requests.post(f"{url}/v1/files", files={"file": ("a", b"a" * n)}, timeout=SECONDS) for n in (9_000, 9)
        ]
        assert get_error(saved)["message"] == "filename: a.bin cannot be written: File too large"
        assert [upload.status_code for upload in uploads] == [507, 507]
        assert uploads[0].json()["detail"] == "file: it cannot be stored: File too large"
        assert uploads[1].json()["detail"].startswith("file: it cannot be stored: ")
        assert complete(url)["content"] == before
        assert not [path for path in (tmp_path / "jobs" / "files").rglob("*") if path.is_file()]
        assert "Traceback" not in program.output
