"""Fine-tuned models without a training: which are served, and how they are deleted."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from benchmarks.adapters.lora_file import Lora
from models.source import BUNDLED_MODEL
from models.tuning.records import AdapterRecord
from models.tuning.store import Store
from server.fine_tuning.base_model import BaseModel
from tests.conftest import running_server
from tests.server.http_client import SECONDS, STORY, complete, get, open_stream, post
from tests.server.program import run_failing

MODELS = "/v1/llm/model-endpoints"
NAMES = ("bundled.one.261129-120000", "bundled.two.261129-120000", "bundled.three.261129-120000")
OF_ANOTHER_MODEL = "other.261129-120000"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a server with fine-tuned models of two base models leaves it."""
    folder = tmp_path_factory.mktemp("adapters")
    store = Store(folder / "fine-tunes")
    digest = BaseModel.read("bundled", BUNDLED_MODEL, "llama", None, None).digest
    for number, name in enumerate((*NAMES, OF_ANOTHER_MODEL)):
        Lora(number).write(store.adapter_path(name))
        of_model = "another" if name == OF_ANOTHER_MODEL else digest
        store.add_adapter(AdapterRecord(name, f"ft-{number}", of_model, created=float(number)))
    store.close()
    return folder


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    Lora(9).write(folder / "given.gguf")
    flags = ("--fine-tune-path", str(folder / "fine-tunes"), "--lora", str(folder / "given.gguf"))
    with running_server(folder, "--alias", "bundled", *flags, "--lora-init-without-apply") as started:
        yield started


def listed(url: str) -> list[str]:
    return [model["name"] for model in get(url + MODELS).json()["model_endpoints"]]


def test_the_adapters_of_this_model_are_served(url: str) -> None:
    assert set(NAMES) - set(listed(url)) <= {NAMES[1], NAMES[2]}  # which other tests delete
    assert OF_ANOTHER_MODEL not in listed(url)
    assert complete(url, model=NAMES[0])["content"] != complete(url)["content"]


def test_running_requests_end_before_a_model_is_deleted(url: str, folder: Path) -> None:
    path = folder / "fine-tunes" / "adapters" / f"{NAMES[1]}.gguf"
    answers: list[requests.Response] = []
    with open_stream(url, model=NAMES[1]):
        deleting = threading.Thread(
            target=lambda: answers.append(requests.delete(f"{url}{MODELS}/{NAMES[1]}", timeout=SECONDS))
        )
        deleting.start()
        deadline = time.monotonic() + SECONDS
        while NAMES[1] in listed(url) and time.monotonic() < deadline:
            time.sleep(0.02)
        refused = post(url, {"prompt": STORY, "model": NAMES[1]})
        assert (refused.status_code, answers) == (404, [])
        assert path.exists()
    deleting.join(SECONDS)
    assert answers[0].json() == {"deleted": True}
    assert not path.exists()
    assert requests.delete(f"{url}{MODELS}/{NAMES[1]}", timeout=SECONDS).status_code == 404


def test_openai_deletes_a_model_at_its_own_path(url: str) -> None:
    answer = requests.delete(f"{url}/v1/models/{NAMES[2]}", timeout=SECONDS).json()
    assert answer == {"id": NAMES[2], "object": "model", "deleted": True}
    assert NAMES[2] not in listed(url)
    assert requests.delete(f"{url}/v1/models/bundled", timeout=SECONDS).status_code == 404


def test_an_adapter_of_a_flag_is_not_deleted(url: str) -> None:
    answer = requests.delete(f"{url}{MODELS}/given", timeout=SECONDS)
    assert answer.status_code == 400
    assert answer.json()["detail"].endswith(
        "given, which is an adapter that the server was given and cannot be deleted"
    )


def test_a_folder_that_is_in_use_ends_another_server(url: str, folder: Path) -> None:
    path = folder / "fine-tunes"
    assert listed(url)
    assert run_failing("--fine-tune-path", str(path)) == (
        f"llama-slots: error: argument --fine-tune-path: {path} is in use by another server or fine-tune"
    )
