"""The examples of LLM Engine's documentation, as they are but for the name of the model, and that of docs/."""

import json
import re
from pathlib import Path

import pytest

from tests.clients.llm_engine.conftest import LlmEngine

EXAMPLES = Path(__file__).parents[1] / "documented/llm_engine"
PAGE = Path(__file__).parents[3] / "docs/llm_engine.md"


def run_example(client: LlmEngine, name: str) -> str:
    """Returns what an example prints."""
    text = (EXAMPLES / name).read_text()
    assert text.count("llama-2-7b") == 1
    return client.run(text.replace("llama-2-7b", "bundled"))


def test_a_completion(client: LlmEngine) -> None:
    response, text = run_example(client, "completion.py").split("\n", 1)
    output = json.loads(response)["output"]
    assert (output["text"] + "\n", output["num_completion_tokens"]) == (text, 10)


def test_token_streaming(client: LlmEngine) -> None:
    assert len(run_example(client, "token_streaming.py").split()) > 10


def test_an_asynchronous_request(client: LlmEngine) -> None:
    assert json.loads(run_example(client, "async_request.py"))["output"]["num_completion_tokens"] == 10


@pytest.mark.parametrize("path", sorted(EXAMPLES.iterdir()), ids=lambda path: path.name)
def test_every_example_is_tested(path: Path) -> None:
    assert f'"{path.name}"' in Path(__file__).read_text()


def test_the_example_of_the_page_prints_what_the_page_shows(client: LlmEngine) -> None:
    example = re.search(r"```python\n(.*?)```\n\nprints\n\n```text\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert example
    program, shown = example.groups()
    assert client.process.run(program, LLM_ENGINE_BASE_PATH=client.url, SCALE_API_KEY="none") == shown
