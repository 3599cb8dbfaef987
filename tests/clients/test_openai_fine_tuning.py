"""OpenAI's client: files and fine-tuning jobs, from chats to a model that answers them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.clients.openai_clients import openai_client
from tests.conftest import running_server
from tests.fine_tunes import needs_torch, wait_until

CHATS = {"Who are you?": "I am a small server.", "What do you do?": "I answer questions."}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[openai.OpenAI]:
    folder = tmp_path_factory.mktemp("openai")
    with running_server(folder, "--alias", "bundled", "--fine-tune-path", str(folder / "fine-tunes")) as url:
        yield openai_client(url)


def write_chats(path: Path) -> Path:
    lines = [
        {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}
        for question, answer in CHATS.items()
    ]
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


def test_files_are_created_listed_read_and_deleted(client: openai.OpenAI, tmp_path: Path) -> None:
    path = write_chats(tmp_path / "chats.jsonl")
    file = client.files.create(file=path, purpose="fine-tune")
    assert (file.filename, file.bytes, file.purpose) == ("chats.jsonl", path.stat().st_size, "fine-tune")
    assert client.files.retrieve(file.id) == file
    assert [listed.id for listed in client.files.list(purpose="fine-tune")] == [file.id]
    assert client.files.content(file.id).read() == path.read_bytes()
    assert client.files.wait_for_processing(file.id) == file
    assert client.files.delete(file.id).deleted
    with pytest.raises(openai.NotFoundError, match="expected the id of an uploaded file"):
        client.files.retrieve(file.id)


@needs_torch
def test_a_job_makes_a_model_that_answers_chats(client: openai.OpenAI, tmp_path: Path) -> None:
    file = client.files.create(file=write_chats(tmp_path / "chats.jsonl"), purpose="fine-tune").id
    method: Any = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 19, "batch_size": 1}}}
    job = client.fine_tuning.jobs.create(
        model="bundled", training_file=file, validation_file=file, suffix="chats", seed=1, method=method
    )
    waiting = client.fine_tuning.jobs.create(model="bundled", training_file=file, metadata={"kind": "waiting"})
    assert (waiting.status, waiting.metadata) == ("queued", {"kind": "waiting"})
    assert client.fine_tuning.jobs.cancel(waiting.id).status == "cancelled"
    wait_until(lambda: client.fine_tuning.jobs.retrieve(job.id).status not in ("queued", "running"), "the job")
    job = client.fine_tuning.jobs.retrieve(job.id)
    assert (job.status, job.seed, job.error) == ("succeeded", 1, None)
    assert [listed.id for listed in client.fine_tuning.jobs.list(limit=1)] == [waiting.id, job.id]
    reported = [event for event in client.fine_tuning.jobs.list_events(job.id) if event.type == "metrics"]
    [checkpoint] = client.fine_tuning.jobs.checkpoints.list(job.id)
    metrics: list[Any] = [event.data for event in reported]
    losses = [data["eval_loss"] for data in metrics if "eval_loss" in data]
    assert checkpoint.metrics.valid_loss == min(losses)
    assert job.fine_tuned_model is not None
    assert [answer(client, job.fine_tuned_model, question) for question in CHATS] == list(CHATS.values())
    assert [answer(client, "bundled", question) for question in CHATS] != list(CHATS.values())
    assert job.fine_tuned_model in [model.id for model in client.models.list()]
    assert client.models.delete(job.fine_tuned_model).deleted
    with pytest.raises(openai.NotFoundError):
        client.models.delete(job.fine_tuned_model)


def answer(client: openai.OpenAI, model: str, question: str) -> str | None:
    chat = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": question}], max_tokens=24, temperature=0
    )
    return chat.choices[0].message.content


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"method": {"type": "dpo"}}, 'method.type: expected supervised, got "dpo"'),
        ({"method": {"type": "supervised", "supervised": 1}}, "method.supervised: expected an object, got 1"),
        (
            {"method": {"supervised": {"hyperparameters": ["n_epochs"]}}},
            "method.supervised.hyperparameters: expected an o",
        ),
        ({"hyperparameters": {"n_epochs": 50}}, "hyperparameters.n_epochs: expected an integer from 1 to 19, got 50"),
        ({"suffix": "a b"}, "suffix: expected 1 to 28 letters, digits and hyphens"),
        ({"integrations": [{"type": "other"}]}, r"integrations\[0\]: expected the type wandb"),
        ({"training_file": "file:///etc/passwd"}, "training_file: expected a URL that starts with http"),
        ({"training_file": "http://127.0.0.1/a"}, "training_file: 127.0.0.1 is 127.0.0.1, which is no public address"),
    ],
)
def test_a_wrong_job_is_refused(fields: dict[str, object], message: str, client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match=message) as caught:
        client.fine_tuning.jobs.create(**{"model": "bundled", "training_file": "file-1"} | fields)  # type: ignore[arg-type]
    assert caught.value.param == message.partition(":")[0].replace("\\", "")


@pytest.mark.parametrize(("field", "value"), [("model", "gpt-4o"), ("training_file", "file-none")])
def test_unknown_models_and_files_are_not_found(field: str, value: str, client: openai.OpenAI) -> None:
    fields = {"model": "bundled", "training_file": "file-1"} | {field: value}
    with pytest.raises(openai.NotFoundError, match=f"{field}: expected .*, got {value}"):
        client.fine_tuning.jobs.create(**fields)  # type: ignore[arg-type]


def test_a_data_set_with_an_error_is_refused(client: openai.OpenAI) -> None:
    file = client.files.create(file=("a.csv", b"prompt,response\nHi,Hello\n,Yes\n"), purpose="fine-tune").id
    with pytest.raises(openai.BadRequestError, match="training_file: row 3, column prompt: expected a text"):
        client.fine_tuning.jobs.create(model="bundled", training_file=file)
