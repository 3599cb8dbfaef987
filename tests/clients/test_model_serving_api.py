"""The example client and the bodies of the model-serving API's documentation, at the paths without a prefix."""

import subprocess
import sys
from pathlib import Path

from tests.server.http_client import SECONDS, get, post

DOCUMENTED_URL = "http://localhost:8001"


def test_example_streams_an_answer(server: str, tmp_path: Path) -> None:
    text = (Path(__file__).parent / "documented" / "chat_stream.py").read_text()
    assert DOCUMENTED_URL in text
    program = tmp_path / "chat_stream.py"
    program.write_text(text.replace(DOCUMENTED_URL, server))
    ran = subprocess.run([sys.executable, program], check=True, capture_output=True, text=True, timeout=SECONDS)
    assert ran.stdout.strip()


def test_message_without_a_role_is_answered(server: str) -> None:
    body = {
        "model": "bigscience/bloomz-1b1",
        "messages": [{"content": "Translate to English: Je t'aime."}],
        "max_tokens": 16,
        "temperature": 0.1,
        "stream": False,
    }
    answer = post(server, body, "/chat/completions").json()
    assert answer["object"] == "chat.completion"
    assert answer["choices"][0]["message"]["role"] == "assistant"
    assert answer["choices"][0]["message"]["content"]
    assert isinstance(answer["created"], int)


def test_embeddings_are_a_list_of_numbers(server: str) -> None:
    body = {"model": "model name", "input": ["Hello, world!", "How are you?"], "encoding_format": "float"}
    answer = post(server, body, "/embeddings").json()
    assert answer["object"] == "list"
    assert [(entry["object"], entry["index"]) for entry in answer["data"]] == [("embedding", 0), ("embedding", 1)]
    assert all(isinstance(number, float) for entry in answer["data"] for number in entry["embedding"])


def test_status_says_what_runs(server: str) -> None:
    assert get(f"{server}/chat").json() == {
        "status": "running",
        "llm_serving_url": server,
        "model_name": "bundled",
        "max_new_tokens": 2048,
        "device": "cpu",
        "do_sample": True,
        "system_prompt": "",
    }
