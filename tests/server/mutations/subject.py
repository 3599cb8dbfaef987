"""The server that gets the bodies: the bundled model with a projector of pictures, an adapter, slot files and jobs."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from benchmarks.adapters.lora_file import Lora
from models.source import BUNDLED_PROJECTOR
from tests.server.http_client import DETERMINISTIC, SECONDS, complete, get, post
from tests.server.mutations.valid_bodies import Known
from tests.server.program import PROGRAM, Program, running
from tests.slots.multimodal.projectors import TOOLS, projector

CSV = b"prompt,response\n" + b"".join(b"What is %d?,It is %d.\n" % (n, n) for n in range(8))
PATIENCE = 180
"""Seconds for an answer, on a machine that may be busy."""
SAVED = "saved.bin"
ADAPTER = "random"
SMALL = (
    *("--alias", "bundled", "--threads", "1", "--parallel", "4", "--ctx-size", "2048", "--cache-ram", "16"),
    *("--predict", "16", "--max-queue", "2000", "--media-max-pixels", "100000", "--media-max-seconds", "5"),
    *("--media-max-bytes", "500000", "--fine-tune-max-queue", "2", "--lora-init-without-apply"),
    *("--allow-runtime-lora-updating", "--slots-prompts"),
)
"""So little of everything that limits are met, and that no answer takes long."""


def find_projector() -> Path:
    """Returns one that takes pictures and sounds if it can be made here, else the one that comes with the project."""
    return projector("gemma4uv+gemma4ua") if TOOLS.exists() else BUNDLED_PROJECTOR


@contextmanager
def running_subject(folder: Path, flags: Sequence[str] = ()) -> Iterator[Program]:
    """Runs the server, with its log and files in `folder`, until the end of the context."""
    adapter, slots, jobs = folder / f"{ADAPTER}.gguf", folder / "slots", folder / "jobs"
    Lora(seed=1).write(adapter)
    slots.mkdir()
    paths = ("--lora", str(adapter), "--slot-save-path", str(slots), "--media-path", str(folder), "--fine-tune-path")
    with running(folder, *PROGRAM, "--mmproj", str(find_projector()), *SMALL, *paths, str(jobs), *flags) as program:
        yield program


def prepare(url: str, folder: Path) -> Known:
    """Returns what bodies may name, which the server has from now on. `folder` is that of its files."""
    uploaded = requests.post(f"{url}/v1/files", files={"file": ("data.csv", CSV)}, timeout=SECONDS).json()
    stored = post(url, {"input": "Hello", "max_output_tokens": 2}, "/v1/responses").json()
    saved = post(url, {"filename": SAVED}, "/slots/0?action=save")
    assert saved.status_code == 200, saved.text
    marker = get(f"{url}/props").json()["media_marker"]
    return Known(uploaded["id"], stored["id"], ADAPTER, str(folder / f"{ADAPTER}.gguf"), SAVED, marker)


def reset(url: str) -> None:
    """Takes back what a body may have set for all later requests."""
    for path, body in (("/completion", {"prompt": "a", "n_predict": 0, "system_prompt": ""}), ("/lora-adapters", [])):
        answer = requests.post(url + path, json=body, timeout=PATIENCE)
        assert answer.status_code == 200, answer.text


def ordinary_answers(url: str) -> list[Any]:
    """Returns the texts of ordinary requests, which nothing that others send may change."""
    chat = {"messages": [{"role": "user", "content": "Tell me a story."}], "max_tokens": 8, "temperature": 0}
    answered = post(url, chat | {"cache_prompt": False}, "/v1/chat/completions").json()
    return [
        complete(url)["content"],
        complete(url, **DETERMINISTIC)["tokens_predicted"],
        answered["choices"][0]["message"],
    ]
