"""The curl commands of README.md and docs/, run as they are but for the address of the server and the folder of
adapters."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.adapters.lora_file import Lora
from tests.conftest import running_server

ROOT = Path(__file__).parents[2]
DOCUMENTED_URL = "http://127.0.0.1:8080"
DOCUMENTED_FOLDER = "/adapters"
"""Where commands find LoRA adapters."""
DOCUMENTED_PICTURES = "docs/images"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NEEDS_ANOTHER_MODEL = "/rerank"


def documented_commands() -> Iterator[tuple[str, str, int]]:
    """Yields a name for each block of commands, its text, and how many errors the documentation shows after it."""
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        blocks = [(language, text) for language, text in BLOCK.findall(page.read_text())]
        for number, (language, text) in enumerate(blocks):
            if language == "sh" and f"{DOCUMENTED_URL}/" in text and NEEDS_ANOTHER_MODEL not in text:
                following = blocks[number + 1] if number + 1 < len(blocks) else ("", "")
                n_errors = following[1].count('{"error":') if following[0] == "json" else 0
                yield f"{page.name}-{number}", text, n_errors


COMMANDS = {name: (text, n_errors) for name, text, n_errors in documented_commands()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with LoRA adapters, and for saved slots."""
    folder = tmp_path_factory.mktemp("documented")
    for seed, name in enumerate(("tales", "rhymes", "songs")):
        Lora(seed).write(folder / f"{name}.gguf")
    return folder


@pytest.fixture(scope="module")
def server_with_options(folder: Path) -> Iterator[str]:
    """The URL of a server with the flags that some of the commands need."""
    adapters = ("--lora", f"{folder / 'tales.gguf'},{folder / 'rhymes.gguf'}", "--lora-init-without-apply")
    flags = ("--context-shift", "--slot-save-path", str(folder), "--allow-runtime-lora-updating")
    tuning = ("--fine-tune-path", str(folder / "fine-tunes"))
    with running_server(folder, *flags, *adapters, *tuning) as url:
        yield url


@pytest.mark.parametrize("name", COMMANDS)
def test_a_documented_command_is_answered(name: str, server_with_options: str, folder: Path, tmp_path: Path) -> None:
    text, n_errors = COMMANDS[name]
    script = text.replace(DOCUMENTED_URL, server_with_options).replace(DOCUMENTED_FOLDER, str(folder))
    script = script.replace(DOCUMENTED_PICTURES, str(ROOT / DOCUMENTED_PICTURES))
    done = subprocess.run(
        ["sh", "-e", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=True
    )
    assert done.stdout
    assert done.stdout.count('{"error":') == n_errors, done.stdout
