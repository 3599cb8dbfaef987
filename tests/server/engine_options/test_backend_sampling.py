"""A server with backend sampling."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import running_server
from tests.server.cli.flag_parsing import parse_flags
from tests.server.http_client import complete, refusal

SAID = "Backend sampling: the 256 largest logits of each slot are found where they are computed"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("backend")


@pytest.fixture(scope="module")
def backend_server(folder: Path) -> Iterator[str]:
    with running_server(folder, "--backend-sampling") as url:
        yield url


def test_the_log_says_so(backend_server: str, folder: Path) -> None:
    complete(backend_server)
    assert SAID in (folder / "log").read_text()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"temperature": 0.8, "seed": 1},
        {"temperature": 0.8, "seed": 1, "backend_sampling": False},
        {"temperature": 0.8, "seed": 2, "top_k": 0},
        {"n_probs": 3},
        {"temperature": 0.8, "seed": 3, "repeat_penalty": 1.3, "dry_multiplier": 0.8, "ignore_eos": True},
        {"json_schema": {"type": "boolean"}},
    ],
)
def test_answers_are_those_of_a_server_that_looks_at_whole_rows(
    server: str, backend_server: str, options: dict[str, Any]
) -> None:
    one, other = (complete(url, n_predict=24, **options) for url in (server, backend_server))
    assert one["content"] == other["content"]
    assert one.get("completion_probabilities") == other.get("completion_probabilities")


def test_whether_to_do_so_is_true_or_false(backend_server: str) -> None:
    assert refusal(backend_server, backend_sampling=1) == "backend_sampling: expected true or false, got 1"


@pytest.mark.parametrize(
    ("flags", "environ", "expected"),
    [
        ((), {}, False),
        (("-bs",), {}, True),
        (("--no-backend-sampling",), {"LLAMA_ARG_BACKEND_SAMPLING": "1"}, False),
        ((), {"LLAMA_ARG_BACKEND_SAMPLING": "1"}, True),
        ((), {"LLAMA_ARG_BACKEND_SAMPLING": "off"}, False),
    ],
)
def test_it_is_off_unless_asked_for(flags: tuple[str, ...], environ: Mapping[str, str], expected: bool) -> None:
    assert parse_flags(*flags, environ=environ).context.backend_sampling is expected
