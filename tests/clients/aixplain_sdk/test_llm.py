"""LLM and ModelFactory of aiXplain's SDK, the newest version and the one that its documentation describes."""

import time

import pytest

from tests.clients.aixplain_sdk.sdk import TELL, Sdk, chat, user
from tests.clients.client_process import ClientError

HISTORY = [user("Hello!"), {"role": "assistant", "content": "Hello, how are you?"}]


def test_run_returns_the_text(sdk: Sdk) -> None:
    response = sdk.run("show(llm.run(TELL, max_tokens=8, temperature=0))")
    text, n_prompt_tokens = chat(sdk.url, user(TELL))
    assert (response["status"], response["completed"], response["error_message"]) == ("SUCCESS", True, "")
    assert (response["data"], response["usage"]["prompt_tokens"]) == (text, n_prompt_tokens)
    [detail] = response["details"]
    assert (detail["message"]["content"], detail["finish_reason"]) == (text, "length")
    assert response["run_time"] > 0


def test_run_takes_context_prompt_and_history(sdk: Sdk) -> None:
    response = sdk.run(
        f"show(llm.run(TELL, context='You are a bear.', prompt='Please:', history={HISTORY}, max_tokens=8, top_p=0.9))"
    )
    bear = {"role": "system", "content": "You are a bear."}
    text, n_prompt_tokens = chat(sdk.url, bear, *HISTORY, user(f"Please:\n{TELL}"))
    assert (response["data"], response["usage"]["prompt_tokens"]) == (text, n_prompt_tokens)


def test_parameters_reach_the_server(sdk: Sdk) -> None:
    response = sdk.run("show(llm.run(TELL, parameters={'choice': ['yes', 'no'], 'max_tokens': 20}))")
    assert response["data"] in ("yes", "no")


def test_texts_that_the_sdk_parses_are_answered(sdk: Sdk) -> None:
    texts = ["42", "true", "null", '"x"', "[1,2]", '{"data": "Hello!"}', ""]
    responses = sdk.run(f"show([llm.run(text, max_tokens=2).status for text in {texts}])")
    assert responses == ["SUCCESS"] * len(texts)
    response = sdk.run("show(llm.run('[1,2]', max_tokens=8, temperature=0))")
    assert (response["data"], response["usage"]["prompt_tokens"]) == chat(sdk.url, user("[1,2]"))


def test_run_async_returns_at_once_what_is_polled_for(sdk: Sdk) -> None:
    started, polled, response = sdk.run("""
started = llm.run_async(TELL, max_tokens=300, temperature=0, parameters={"ignore_eos": True})
polled = llm.poll(started.url)
response = llm.sync_poll(started.url, wait_time=0.2)
show([one.to_dict() for one in (started, polled, response)])
""")
    assert started["status"] == polled["status"] == "IN_PROGRESS"
    assert started["url"].startswith(f"{sdk.url}/api/v1/data/")
    assert (polled["completed"], polled["data"]) == (False, "")
    assert (response["status"], response["completed"]) == ("SUCCESS", True)
    assert response["usage"]["completion_tokens"] == 300
    assert response["data"].startswith(chat(sdk.url, user(TELL))[0])


@pytest.mark.parametrize("key", ["secret", "other", "wrong"])
def test_polling_ends_at_once_without_a_job(sdk: Sdk, key: str) -> None:
    before = time.monotonic()
    response = sdk.run(f"""
url = llm.run_async(TELL, max_tokens=1).url if {key!r} != "secret" else "{sdk.url}/api/v1/data/unknown"
show(make_llm({key!r}).sync_poll(url))
""")
    assert time.monotonic() - before < 250  # the SDK polls for 300 seconds
    assert (response["status"], response["completed"]) == ("FAILED", True)
    assert "API key" in response["error_message"]


def test_stream_is_the_text_in_pieces(sdk: Sdk) -> None:
    pieces, status = sdk.run("""
stream = llm.run(TELL, max_tokens=8, temperature=0, stream=True)
pieces = [piece.data for piece in stream]
show([pieces, stream.status.value])
""")
    assert "".join(pieces) == chat(sdk.url, user(TELL))[0]
    assert status == "SUCCESS"
    assert sum(piece != "" for piece in pieces) > 2


def test_progress_does_not_disturb_a_stream(sdk: Sdk) -> None:
    text = sdk.run("""
stream = llm.run(TELL, max_tokens=8, temperature=0, stream=True, parameters={"return_progress": True})
show("".join(piece.data for piece in stream))
""")
    assert text == chat(sdk.url, user(TELL))[0]


@pytest.mark.parametrize("text", ["data: ü\ndata: 2", "a\u2028b\x85c", "[DONE]", "42", '{"data": 1}', ": ping"])
def test_text_of_a_stream_arrives_whatever_it_holds(sdk: Sdk, text: str) -> None:
    pieces = sdk.run(f"""
stream = llm.run(TELL, max_tokens=100, stream=True, parameters={{"choice": [{text!r}]}})
show([piece.data for piece in stream])
""")
    assert "".join(pieces) == text


def test_wrong_argument_is_told(sdk: Sdk) -> None:
    run, run_async, streamed = sdk.run("""
stream = llm.run(TELL, max_tokens=-2, stream=True)
run, run_async = llm.run(TELL, max_tokens=-2), llm.run_async(TELL, max_tokens=-2)
show([run.to_dict(), run_async.to_dict(), [one.data for one in stream]])
""")
    for response in (run, run_async):
        assert (response["status"], response["completed"]) == ("FAILED", True)
        assert response["error_message"].startswith("Bad request: ")
        assert response["error_message"].endswith("Details: max_tokens: expected -1 or more, got -2")
    assert "".join(streamed) == "max_tokens: expected -1 or more, got -2"


def test_wrong_key_is_told(sdk: Sdk) -> None:
    run, run_async, streamed = sdk.run("""
llm = make_llm("wrong")
stream = llm.run(TELL, stream=True)
show([llm.run(TELL).to_dict(), llm.run_async(TELL).to_dict(), [one.data for one in stream]])
""")
    for response in (run, run_async):
        assert response["status"] == "FAILED"
        assert response["error_message"].startswith("Unauthorized API key: ")
    assert "API key" in "".join(streamed)


def test_model_factory_builds_the_llm(sdk: Sdk) -> None:
    kind, fields, response, streamed = sdk.run("""
model = ModelFactory.get("some/id")
stream = model.run(TELL, max_tokens=8, temperature=0, stream=True)
show([
    type(model).__name__,
    [model.id, model.name, model.temperature, model.supports_streaming, model.status.value],
    model.run(TELL, max_tokens=8).to_dict(),
    "".join(piece.data for piece in stream),
])
""")
    assert kind == "LLM"
    assert fields == ["some/id", "bundled", 0.001, True, "onboarded"]
    assert response["data"] == streamed == chat(sdk.url, user(TELL))[0]


def test_model_factory_tells_a_wrong_key(sdk: Sdk) -> None:
    with pytest.raises(ClientError, match=r"Status Code: 401.*API key"):
        sdk.run("ModelFactory.get('some/id', api_key='wrong')")


@pytest.mark.parametrize("sdk", ["0.2.48"], indirect=True)
def test_model_factory_finds_a_name(sdk: Sdk) -> None:
    found = sdk.run("""
model = ModelFactory.get(name="some name")
show([type(model).__name__, model.id, model.name, model.run(TELL, max_tokens=8).data])
""")
    assert found == ["LLM", "bundled", "some name", chat(sdk.url, user(TELL))[0]]


@pytest.mark.parametrize("response_format", ["json_object", {"type": "json_object"}])
@pytest.mark.parametrize("sdk", ["0.2.48"], indirect=True)
def test_format_of_the_response(sdk: Sdk, response_format: object) -> None:
    response = sdk.run(f"show(llm.run(TELL, max_tokens=4, response_format={response_format!r}))")
    assert response["data"].startswith("{")
