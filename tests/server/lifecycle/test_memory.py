"""The report on memory, --dry-run, and what is reduced to fit."""

import subprocess
import sys
from pathlib import Path

import pytest

from models.source import BUNDLED_PROJECTOR
from server.lifecycle import memory
from tests.server.cli.flag_parsing import get_error, parse_flags
from tests.server.http_client import get
from tests.server.program import PROGRAM, environment, running

GIB = 2**30
LITTLE_MEMORY = ("-c", """
import sys
from server.lifecycle import memory
memory.free_memory = lambda: 20 * 2**20
from server.__main__ import main
main()
""")  # fmt: skip
"""The program with 20 MiB of free memory."""


def dry_run(capsys: pytest.CaptureFixture[str], *flags: str) -> tuple[int, str]:
    """Returns the exit code, and what is said of memory, in one line."""
    code = memory.dry_run(parse_flags("--dry-run", *flags))
    said = " ".join(capsys.readouterr().out.split())
    return code, said[said.index("memory about") :]


def test_a_dry_run_says_what_is_needed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: 8 * GIB)
    code, said = dry_run(capsys)
    assert code == 0
    assert said == (
        "memory about 20.4 MB of 8.6 GB free: 1.7 MB weights, 12.6 MB KV cache, 5.3 MB computing, 816.4 kB projector "
        "slots 4 slots of 2,048 tokens"
    )
    assert dry_run(capsys, "-kvu", "-c", "4096")[1].endswith("slots one cache of 4,096 tokens for 4 slots")


def test_a_dry_run_counts_the_projector_that_will_be_loaded(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: 8 * GIB)
    assert "projector" not in dry_run(capsys, "--no-mmproj")[1]
    assert "816.4 kB projector" in dry_run(capsys, "--mmproj", str(BUNDLED_PROJECTOR))[1]


def test_a_dry_run_fails_without_the_projector(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert memory.dry_run(parse_flags("--dry-run", "--mmproj", str(tmp_path / "none.gguf"))) == 1
    assert "none.gguf" in capsys.readouterr().err


def test_a_dry_run_fails_if_memory_is_short(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: 20 * 2**20)
    code, said = dry_run(capsys)
    assert (code, said.partition(" slots ")[2]) == (
        0,
        "4 slots of 1,280 tokens, reduced from 8,192 to 5,120 in total to fit into memory",
    )
    for flags in (("-c", "8192"), ("-fit", "off")):
        code, said = dry_run(capsys, *flags)
        assert code == 1
        assert said.endswith("slots 4 slots of 2,048 tokens; more than is free")


def test_a_dry_run_loads_neither_the_model_nor_llama_cpp() -> None:
    command = [sys.executable, "-X", "importtime", *PROGRAM, "--dry-run"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment(), check=True)
    assert "memory" in done.stdout
    assert "llama_cpp" not in done.stderr


def test_a_dry_run_of_embeddings_says_what_the_header_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert memory.dry_run(parse_flags("--dry-run", "--embedding")) == 0
    assert "memory" not in capsys.readouterr().out


def test_what_was_reduced_is_served(tmp_path: Path) -> None:
    with running(tmp_path, *LITTLE_MEMORY, "--threads", "1") as program:
        url = program.ready_url()
        assert get(f"{url}/props").json()["default_generation_settings"]["n_ctx"] == 1280
        assert "reduced from 8,192 to 5,120" in " ".join(program.output.split())


def test_flags_of_the_fit() -> None:
    fit = parse_flags("-fit", "off", "-fitt", "512,256", "-fitc", "8192").fit
    assert (fit.fit, fit.fit_target_mib, fit.fit_ctx) == (False, (512, 256), 8192)
    assert parse_flags("--fit", "on").fit.fit


def test_margins_that_are_no_numbers_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    said = get_error(capsys, "-fitt", "1024,x")
    assert said == (
        "argument -fitt/--fit-target: expected numbers of MiB of 0 or more, with commas between them, got '1024,x'"
    )
