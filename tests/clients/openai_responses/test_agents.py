"""What agents send: requests in the form of Codex CLI 0.171, shortened."""

from typing import Any

import requests

from tests.clients.openai_responses.asking import count
from tests.server.http_client import SECONDS, Json

COMMAND: Json = {
    "type": "function",
    "name": "exec_command",
    "description": "Runs a command.",
    "strict": False,
    "parameters": {
        "type": "object",
        "properties": {"cmd": {"type": "string", "enum": ["ls"]}, "yield_time_ms": {"type": "number"}},
        "required": ["cmd"],
        "additionalProperties": False,
    },
}
AGENTS: Json = {
    "type": "namespace",
    "name": "multi_agent_v1",
    "description": "Tools for sub-agents.",
    "tools": [{**COMMAND, "name": "close_agent"}],
}
PATCH: Json = {
    "type": "custom",
    "name": "apply_patch",
    "description": "Edits files.",
    "format": {"type": "grammar", "syntax": "lark", "definition": 'start: "*** Begin Patch"'},
}
SEARCH: Json = {"type": "web_search", "external_web_access": False}


def said(role: str, text: str) -> Json:
    return {"type": "message", "id": "msg_1", "role": role, "content": [{"type": "input_text", "text": text}]}


HISTORY: list[Json] = [
    said("developer", "You are a coding agent."),
    said("developer", "Approvals are never asked for."),
    said("user", "<environment_context></environment_context>"),
    said("user", "What is in this folder?"),
    {"type": "reasoning", "summary": [], "encrypted_content": "gAAAAABo-of-another-model"},
    {"type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "ls"}},
    {"type": "function_call", "name": "exec_command", "arguments": '{"cmd":"ls"}', "call_id": "call_1"},
    {"type": "function_call_output", "call_id": "call_1", "output": "a.txt"},
    {"type": "custom_tool_call", "status": "completed", "call_id": "call_2", "name": "apply_patch", "input": "*** "},
    {"type": "custom_tool_call_output", "call_id": "call_2", "output": "Done"},
]


def ask_as_an_agent(server: str, **fields: Any) -> requests.Response:
    body: Json = {
        "model": "any",
        "stream": True,
        "input": HISTORY,
        "tools": [COMMAND, AGENTS, PATCH, SEARCH],
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "reasoning": {"summary": "auto"},
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "01a2275e",
        "client_metadata": {"x-codex-installation-id": "f49e3254"},
        "text": {"verbosity": "low"},
        "max_output_tokens": 8,
    }
    return requests.post(f"{server}/v1/responses", json=body | fields, timeout=SECONDS)


def test_a_turn_of_an_agent_is_answered(server: str) -> None:
    response = ask_as_an_agent(server, ignore_eos=True)
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"].startswith("text/event-stream")
    assert b"event: response.incomplete\n" in response.content


def test_what_the_model_is_not_shown_is_said_in_a_header(server: str) -> None:
    warning = ask_as_an_agent(server).headers["Warning"]
    for words in ("tools[3]: a tool of the type 'web_search'", "tools[2].format", "input[5]: an item of the type"):
        assert words in warning


def test_the_next_turn_of_an_agent_computes_only_what_is_new(server: str) -> None:
    seen = count(server, input=HISTORY, tools=[COMMAND, AGENTS, PATCH, SEARCH])
    first = ask_as_an_agent(server, stream=False, max_output_tokens=1).json()
    assert first["usage"]["input_tokens"] == seen
    later = [*HISTORY, *first["output"], said("user", "Go on.")]
    usage = ask_as_an_agent(server, stream=False, input=later).json()["usage"]
    assert usage["input_tokens_details"]["cached_tokens"] >= seen - 1
