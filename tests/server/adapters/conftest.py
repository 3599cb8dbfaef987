"""Servers with LoRA adapters of random weights."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.adapters.lora_file import Lora
from tests.conftest import running_server

NAMES = ("red", "green", "blue", "grey")


@pytest.fixture(scope="session")
def lora_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an adapter for each name, and one more."""
    folder = tmp_path_factory.mktemp("lora")
    for seed, name in enumerate((*NAMES, "late")):
        Lora(seed=seed).write(folder / f"{name}.gguf")
    return folder


@pytest.fixture(scope="session")
def lora_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log of `lora_server`."""
    return tmp_path_factory.mktemp("lora-server") / "log"


@pytest.fixture(scope="session")
def lora_server(lora_folder: Path, lora_log: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with eight slots and four adapters, of which none applies to requests that do not say."""
    files = ",".join(str(lora_folder / f"{name}.gguf") for name in NAMES)
    flags = ("--lora", files, "--lora-init-without-apply", "--allow-runtime-lora-updating", "--alias", "bundled")
    slots = tmp_path_factory.mktemp("slots")
    with running_server(lora_log.parent, *flags, "-np", "8", "-c", "8192", "--slot-save-path", str(slots)) as url:
        yield url
