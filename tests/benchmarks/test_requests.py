"""The benchmarks that follow one request through the server."""

import asyncio
import subprocess
import sys

import pytest
from starlette.responses import Response

from benchmarks.requests.body import microseconds, request_reader, run_until_submitted
from models.source import BUNDLED_MODEL
from slots.engine import Engine
from slots.options import ContextOptions, EngineOptions, ModelOptions


def test_the_files_of_both_requests_are_counted() -> None:
    command = [sys.executable, "-m", "benchmarks.requests.files_entered", "--list"]
    output = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout
    completion, tool_call = output.split("a streamed tool call")
    assert "server/api/llama/completion.py" in completion and "slots/scheduling/scheduler.py" in completion
    assert "grammar/" in tool_call and "server/api/openai/chat.py" in tool_call


def test_a_request_is_read_without_being_submitted() -> None:
    engine = Engine.load(ModelOptions(BUNDLED_MODEL), ContextOptions(), EngineOptions(), lambda _share: None)
    with request_reader(engine) as read:
        assert len(microseconds(read, n_calls=1, n_rounds=2)) == 2


def test_a_request_that_waits_is_not_measured() -> None:
    async def wait() -> Response:
        await asyncio.sleep(0)
        return Response()

    with pytest.raises(RuntimeError, match="another thread"):
        run_until_submitted(wait())
