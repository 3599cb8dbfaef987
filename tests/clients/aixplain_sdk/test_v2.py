"""Version 2 of the API of aiXplain's SDK, with models run at either path."""

from typing import Any

import pytest

from tests.clients.aixplain_sdk.sdk import TELL, Sdk, chat, user
from tests.clients.client_process import ClientError

HISTORY = [user("Hello!"), {"role": "assistant", "content": "Hello, how are you?"}]
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"properties": {"at": {"enum": ["cat"]}}}}}


pytestmark = pytest.mark.parametrize("sdk", ["0.2.48"], indirect=True)


@pytest.fixture(params=["/api/v1/execute", "/api/v2/execute"])
def path(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_model_is_described(sdk: Sdk, path: str) -> None:
    found = sdk.run_v2(
        """
show([model.id, model.name, model.function.value, model.vendor.code, model.is_sync_only, model.supports_streaming,
      model.supports_tool_calling, model.supports_structured_output, model.get_attribute("max_context_length")])
""",
        path,
    )
    assert found == ["any/model", "bundled", "TEXT_GENERATION", "llama-slots", True, True, True, True, "2048"]


def test_run_returns_the_text(sdk: Sdk, path: str) -> None:
    result = sdk.run_v2("show(model.run(text=TELL, max_tokens=8, temperature=0))", path)
    text, n_prompt_tokens = chat(sdk.url, user(TELL))
    assert (result["status"], result["completed"], result["data"]) == ("SUCCESS", True, text)
    assert result["usage"]["prompt_tokens"] == n_prompt_tokens


def test_run_takes_context_and_history_or_messages(sdk: Sdk, path: str) -> None:
    bear = {"role": "system", "content": "You are a bear."}
    conversation = [bear, *HISTORY, user(TELL)]
    text, n_prompt_tokens = chat(sdk.url, *conversation)
    for arguments in (f"text=TELL, context='You are a bear.', history={HISTORY}", f"data={conversation}"):
        result = sdk.run_v2(f"show(model.run({arguments}, max_tokens=8))", path)
        assert (result["data"], result["usage"]["prompt_tokens"]) == (text, n_prompt_tokens)


def test_run_async_is_polled_for(sdk: Sdk, path: str) -> None:
    started, result = sdk.run_v2(
        """
started = model.run_async(text=TELL, max_tokens=8)
show([started.to_dict(), model.sync_poll(started.url).to_dict()])
""",
        path,
    )
    assert (started["status"], started["completed"]) == ("IN_PROGRESS", False)
    assert (result["status"], result["data"]) == ("SUCCESS", chat(sdk.url, user(TELL))[0])


def test_stream_is_the_text_in_pieces(sdk: Sdk, path: str) -> None:
    chunks, status = sdk.run_v2(
        """
stream = model.run_stream(text=TELL, max_tokens=8)
chunks = [[chunk.data, chunk.finish_reason, chunk.usage] for chunk in stream]
show([chunks, stream.status.value])
""",
        path,
    )
    assert "".join(text for text, _, _ in chunks) == chat(sdk.url, user(TELL))[0]
    assert [reason for _, reason, _ in chunks][-2:] == [None, "length"]
    assert chunks[-1][2]["completion_tokens"] == 8
    assert status == "SUCCESS"


def test_tools_are_called(sdk: Sdk, path: str) -> None:
    chunks: Any = sdk.run_v2(
        f"""
stream = model.run_stream(text=TELL, tools=[{TOOL}], tool_choice="required", max_tokens=100)
show([chunk.tool_calls for chunk in stream if chunk.tool_calls])
""",
        path,
    )
    assert chunks[0][0]["function"]["name"] == "look"


@pytest.mark.parametrize("call", ["run", "run_stream"])
def test_wrong_argument_is_told(sdk: Sdk, path: str, call: str) -> None:
    with pytest.raises(ClientError, match="max_tokens: expected -1 or more, got -2") as caught:
        sdk.run_v2(f"model.{call}(text=TELL, max_tokens=-2)", path)
    assert caught.value.kind == "APIError"


def test_unknown_job_is_told(sdk: Sdk, path: str) -> None:
    with pytest.raises(ClientError, match="expected a job of this API key") as caught:
        sdk.run_v2("model.sync_poll(URL + '/api/v1/data/unknown')", path)
    assert caught.value.kind == "APIError"


def test_wrong_key_is_told(sdk: Sdk, path: str) -> None:
    with pytest.raises(ClientError, match="an API key of this server") as caught:
        sdk.run_v2("Aixplain(api_key='wrong', backend_url=URL, model_url=URL + PATH).Model.get('any')", path)
    assert caught.value.kind == "APIError"
