"""The examples of LLM Engine's documentation, word for word, and that of docs/."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.client_process import ClientProcess
from tests.clients.llm_engine.conftest import LlmEngine
from tests.conftest import running_server

EXAMPLES = Path(__file__).parents[1] / "documented/llm_engine"
PAGE = Path(__file__).parents[3] / "docs/llm_engine.md"


@pytest.fixture(scope="module")
def llama(process: ClientProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlmEngine]:
    """The package, connected to a server that calls its model as the examples do, and ends no text before its limit."""
    with running_server(tmp_path_factory.mktemp("llama"), "--alias", "llama-2-7b", "--ignore-eos") as url:
        yield LlmEngine(process, url)


def run_example(client: LlmEngine, name: str) -> str:
    """Returns what an example prints."""
    return client.run((EXAMPLES / name).read_text())


def test_a_completion(llama: LlmEngine) -> None:
    response, text = run_example(llama, "completion.py").split("\n", 1)
    output = json.loads(response)["output"]
    assert (output["text"] + "\n", output["num_completion_tokens"]) == (text, 10)


def test_token_streaming(llama: LlmEngine) -> None:
    assert len(run_example(llama, "token_streaming.py").split()) > 100


def test_an_asynchronous_request(llama: LlmEngine) -> None:
    assert json.loads(run_example(llama, "async_request.py"))["output"]["num_completion_tokens"] == 10


@pytest.mark.parametrize("path", sorted(EXAMPLES.iterdir()), ids=lambda path: path.name)
def test_every_example_is_tested(path: Path) -> None:
    assert f'"{path.name}"' in Path(__file__).read_text()


def test_the_example_of_the_page_prints_what_the_page_shows(client: LlmEngine) -> None:
    example = re.search(r"```python\n(.*?)```\n\nprints\n\n```text\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert example
    program, shown = example.groups()
    assert client.process.run(program, LLM_ENGINE_BASE_PATH=client.url, SCALE_API_KEY="none") == shown
