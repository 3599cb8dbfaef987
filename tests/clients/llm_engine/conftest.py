"""Programs that use the package scale-llm-engine, against a server."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from textwrap import dedent
from typing import Any

import pytest

from tests.clients.client_process import ClientProcess, client_process

IMPORTS = "import asyncio, json, time\nfrom llmengine import Completion, File, FineTune, Model\n"


@dataclass(frozen=True)
class LlmEngine:
    """The package, connected to a server."""

    process: ClientProcess
    url: str
    key: str = "none"

    def run(self, program: str) -> str:
        """Returns what a program prints. Raises ClientError for what it raises."""
        return self.process.run(IMPORTS + dedent(program), LLM_ENGINE_BASE_PATH=self.url, SCALE_API_KEY=self.key)

    def objects(self, program: str) -> list[Any]:
        """Returns the objects that a program prints as JSON, one a line."""
        return [json.loads(line) for line in self.run(program).splitlines()]


@pytest.fixture(scope="session")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClientProcess]:
    folder = tmp_path_factory.mktemp("scale-llm-engine")
    # Otherwise it asks the package index for newer versions when it is imported.
    with client_process("scale-llm-engine", folder, LLM_ENGINE_DISABLE_VERSION_CHECK="true") as started:
        yield started


@pytest.fixture(scope="session")
def client(process: ClientProcess, server: str) -> LlmEngine:
    """The package, connected to the server that most tests share, which calls its model `bundled`."""
    return LlmEngine(process, server)
