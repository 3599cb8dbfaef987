"""Programs for aiXplain's SDK, as short as tests want to write them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tests.clients.client_process import ClientProcess, client_process
from tests.server.http_client import SECONDS, Json

KEY = "secret"
TELL = "Tell me a story."

SETUP = """
import json
from aixplain.enums import Function
from aixplain.factories import ModelFactory
from aixplain.modules import LLM

def make_llm(key="secret", model="any/model"):
    return LLM(model, "Storyteller", function=Function.TEXT_GENERATION, api_key=key, supports_streaming=True)

def show(value):
    print(json.dumps(value.to_dict() if hasattr(value, "to_dict") else value, default=lambda one: one.value))

llm = make_llm()
TELL = "Tell me a story."
"""
SETUP_V2 = """
import json
from aixplain import Aixplain

def show(value):
    print(json.dumps(value.to_dict() if hasattr(value, "to_dict") else value, default=str))

model = Aixplain(api_key="secret", backend_url=URL, model_url=URL + PATH).Model.get("any/model")
TELL = "Tell me a story."
"""


@dataclass(frozen=True, slots=True)
class Sdk:
    client: ClientProcess
    url: str

    def run(self, program: str) -> Any:
        """Returns what a program shows, after SETUP. Raises ClientError for what it raises."""
        return json.loads(self.client.run(SETUP + program))

    def run_v2(self, program: str, path: str) -> Any:
        """As `run`, with version 2 of the SDK's API; `path` is where it runs models."""
        return json.loads(self.client.run(f"URL, PATH = {self.url!r}, {path!r}\n{SETUP_V2}{program}"))


@contextmanager
def running_sdk(version: str, url: str, folder: Path) -> Iterator[Sdk]:
    variables = {
        "BACKEND_URL": url,
        "MODELS_RUN_URL": f"{url}/api/v1/execute",
        "TEAM_API_KEY": KEY,
        "AIXPLAIN_ALLOW_INSECURE_URLS": "1",
        "AIXPLAIN_SUPPRESS_V1_DEPRECATION": "1",
        "LOG_LEVEL": "ERROR",
    }
    with client_process(f"aixplain-{version}", folder, **variables) as client:
        yield Sdk(client, url)


def chat(url: str, *messages: Json, max_tokens: int = 8) -> tuple[str, int]:
    """Returns the text that OpenAI's API gives for the same chat, and the tokens of its prompt."""
    body = {"messages": messages, "max_tokens": max_tokens, "temperature": 0}
    headers = {"Authorization": f"Bearer {KEY}"}
    response = requests.post(f"{url}/v1/chat/completions", json=body, headers=headers, timeout=SECONDS)
    found = response.json()
    return found["choices"][0]["message"]["content"], found["usage"]["prompt_tokens"]


def user(text: str) -> Json:
    return {"role": "user", "content": text}
