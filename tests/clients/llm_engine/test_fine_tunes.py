"""File and FineTune: the life of a fine-tuned model, from its data to its deletion, with a restart of the server in the
middle of the training."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from models.gguf.model_file import read_model_file
from tests.clients.client_process import ClientError, ClientProcess
from tests.clients.llm_engine.conftest import LlmEngine
from tests.conftest import running_server
from tests.fine_tunes import LEARNED, PROMPT, RESPONSE, needs_torch, wait_until, write_csv
from tests.server.http_client import SECONDS

UPLOAD = """
    with open({path!r}, "r") as file:
        print(File.upload(file).json())
"""
CREATE = """
    print(FineTune.create(model="bundled", training_file={file!r}, validation_file={file!r}, suffix={suffix!r},
                          hyperparameters={options!r}).json())
"""
COMPLETE = """
    print(Completion.create(model={model!r}, prompt={prompt!r}, max_new_tokens=24, temperature=0).json())
"""


class Life:
    """A server's folder of fine-tunes, and a client whose server is started again and again."""

    def __init__(self, process: ClientProcess, folder: Path) -> None:
        self.process, self.folder = process, folder
        self.n_starts = 0

    @contextmanager
    def server(self) -> Iterator[LlmEngine]:
        """A server that is killed at the end."""
        self.n_starts += 1
        log = self.folder / f"log{self.n_starts}"
        log.mkdir()
        flags = ("--alias", "bundled", "--fine-tune-path", str(self.folder / "fine-tunes"))
        with running_server(log, *flags) as url:
            yield LlmEngine(self.process, url)


def get_status(client: LlmEngine, job: str) -> str:
    [answer] = client.objects(f"print(FineTune.get({job!r}).json())")
    status: str = answer["status"]
    assert status in ("PENDING", "RUNNING", "SUCCESS"), events(client, job)
    return status


def events(client: LlmEngine, job: str) -> list[str]:
    [answer] = client.objects(f"print(FineTune.get_events({job!r}).json())")
    return [event["message"] for event in answer["events"]]


def n_evaluations(client: LlmEngine, job: str) -> int:
    return sum("eval_loss" in message for message in events(client, job))


def text_of(client: LlmEngine, model: str) -> str:
    [answer] = client.objects(COMPLETE.format(model=model, prompt=PROMPT))
    text: str = answer["output"]["text"]
    return text


@pytest.fixture(scope="module")
def life(process: ClientProcess, tmp_path_factory: pytest.TempPathFactory) -> Life:
    return Life(process, tmp_path_factory.mktemp("life"))


@needs_torch
def test_a_fine_tuned_model_lives_across_restarts(life: Life, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "data.csv")
    with life.server() as client:
        [uploaded] = client.objects(UPLOAD.format(path=str(path)))
        file = uploaded["id"]
        assert client.objects(f"print(File.get({file!r}).json())") == [
            {"id": file, "filename": "data.csv", "size": len(path.read_text())}
        ]
        create = CREATE.format(file=file, suffix="airline", options=LEARNED)
        [created, other] = client.objects(create + create)
        job = created["id"]
        assert client.objects(f"print(FineTune.cancel({other['id']!r}).json())") == [{"success": True}]
        wait_until(lambda: n_evaluations(client, job) >= 2, "the first checkpoint")
    with life.server() as client:
        wait_until(lambda: get_status(client, job) == "SUCCESS", "the training")
        assert [message for message in events(client, job) if message.startswith("going on from the checkpoint")]
        described, listed = client.objects(f"print(FineTune.get({job!r}).json())\nprint(FineTune.list().json())")
        model = described["fine_tuned_model"]
        assert model.startswith("bundled.airline.")
        assert {entry["id"]: entry["status"] for entry in listed["jobs"]} == {job: "SUCCESS", other["id"]: "CANCELLED"}
        assert text_of(client, model) == RESPONSE
        assert text_of(client, "bundled") != RESPONSE
    with life.server() as client:
        assert text_of(client, model) == RESPONSE
        found, models = client.objects(f"print(Model.get({model!r}).json())\nprint(Model.list().json())")
        assert found["name"] == model
        assert [entry["name"] for entry in models["model_endpoints"]] == ["bundled", model]
        check_download(client, model, tmp_path / "downloaded.gguf")
        assert client.objects(f"print(Model.delete({model!r}).json())") == [{"deleted": True}]
        with pytest.raises(ClientError) as caught:
            text_of(client, model)
        assert caught.value.kind == "NotFoundError"
        assert client.objects(f"print(File.delete({file!r}).json())\nprint(File.list().json())") == [
            {"deleted": True},
            {"files": []},
        ]


def check_download(client: LlmEngine, model: str, path: Path) -> None:
    [answer] = client.objects(f"print(Model.download({model!r}).json())")
    [(name, url)] = answer["urls"].items()
    assert name == f"{model}.gguf"
    path.write_bytes(requests.get(url, timeout=SECONDS).content)
    assert read_model_file(path).text("adapter.type") == "lora"
