"""The example clients of the llama-like API's documentation, word for word but for the address of the server.

The LangChain one imports from where langchain-core has its classes today, and posts through the session it keeps.
"""

import ast
import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parent / "documented"
DOCUMENTED_URL = "http://127.0.0.1:8080"


def program_for(server: str, name: str, folder: Path) -> Path:
    """Returns a copy of an example that asks this server."""
    text = (EXAMPLES / name).read_text()
    assert DOCUMENTED_URL in text
    copy = folder / name
    copy.write_text(text.replace(DOCUMENTED_URL, server))
    return copy


def run(*command: str | Path) -> str:
    """Returns what a command prints."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout


def test_curl_gets_a_completion(server: str, tmp_path: Path) -> None:
    answer = json.loads(run("sh", program_for(server, "complete.sh", tmp_path)))
    assert answer["content"].strip()
    assert answer["tokens_predicted"] <= 128


def test_the_node_script_prints_a_completion(server: str, tmp_path: Path) -> None:
    printed = run("node", program_for(server, "index.js", tmp_path))
    assert printed.strip()
    assert printed.strip() != "undefined"


def test_the_python_script_prints_an_answer_of_one_line(server: str, tmp_path: Path) -> None:
    printed = run(sys.executable, program_for(server, "program.py", tmp_path))
    assert printed.strip() != "None"
    assert printed.count("\n") == 1


def test_the_langchain_llm_keeps_its_session_and_its_slot(
    server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    llm = load(program_for(server, "langchain_llm.py", tmp_path)).openhermes
    first_prompt = "Once upon a time, there was a little girl named Lily. She had a big red ball."
    first = llm.invoke(first_prompt)
    slot_id, cookies = llm.slot_id, llm.session.cookies.get_dict()
    assert slot_id >= 0
    assert len(cookies) == 1
    capsys.readouterr()
    llm.invoke(f"{first_prompt}{first}\nOne day")
    second = printed_answer(capsys.readouterr().out)
    assert second["slot_id"] == slot_id
    assert second["tokens_cached"] > 0
    assert llm.session.cookies.get_dict() == cookies


def load(program: Path) -> Any:
    """Returns a program as a module."""
    spec = importlib.util.spec_from_file_location(program.stem, program)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[program.stem] = module
    spec.loader.exec_module(module)
    return module


def printed_answer(printed: str) -> dict[str, Any]:
    """Returns the last answer that the program printed, as Python writes a dict."""
    answer: dict[str, Any] = ast.literal_eval(printed.strip().splitlines()[-1])
    return answer
