"""Any body of a response gets an answer or an error that names what is wrong."""

import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.api.openai.responses.protocol import ResponseInputFields
from tests.server.http_client import SECONDS, Json

TEXT = st.text(max_size=8)
LEAVES = st.none() | st.booleans() | st.integers(-5, 300) | TEXT | st.sampled_from(["user", "a", "auto", "lark"])
NAMES = st.sampled_from(["type", "role", "content", "text", "name", "format", "definition", "tools"]) | TEXT
ANYTHING = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=8
)
PARTS = st.lists(st.fixed_dictionaries({"type": st.sampled_from(["input_text", "output_text"]), "text": TEXT}))


def objects(types: list[str], members: list[str]) -> st.SearchStrategy[Json]:
    """Objects of some types, which have some of the members, most of them texts."""
    return st.fixed_dictionaries(
        {"type": st.sampled_from(types)}, optional=dict.fromkeys(members, TEXT | PARTS | ANYTHING)
    )


ITEMS = objects(
    ["message", "function_call", "function_call_output", "custom_tool_call", "reasoning", "item_reference"],
    ["role", "content", "call_id", "name", "arguments", "input", "output", "summary", "encrypted_content", "id"],
)
MESSAGES = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "developer"]), "content": TEXT | PARTS | ANYTHING}
)
TOOLS = objects(["function", "custom", "namespace", "web_search"], ["name", "description", "parameters", "format"])
BODIES = st.fixed_dictionaries(
    {"input": TEXT | st.lists(MESSAGES, min_size=1, max_size=3) | st.lists(ITEMS, max_size=4)},
    optional={name: ANYTHING for name in ResponseInputFields.model_fields if name not in ("input", "model")}
    | {"tools": st.lists(TOOLS, max_size=2), "stream": st.booleans(), "store": st.booleans()},
)


@given(body=BODIES, path=st.sampled_from(["/v1/responses", "/v1/responses/input_tokens"]))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_any_fields(server: str, body: Json, path: str) -> None:
    response = requests.post(server + path, json=body | {"max_output_tokens": 2}, timeout=SECONDS)
    assert response.status_code in (200, 400, 501), response.text
    assert "response.failed" not in response.text
    if response.status_code == 400:
        assert response.json()["error"]["param"]
