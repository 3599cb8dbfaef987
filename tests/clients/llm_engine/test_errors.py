"""Errors raise the client's own classes, with a message in words."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
import requests

from tests.clients.client_process import ClientError, ClientProcess
from tests.clients.llm_engine.conftest import LlmEngine
from tests.conftest import running_server
from tests.server.http_client import SECONDS
from tests.server.program import PROGRAM, SLOW_PROGRAM, running

KEY = "right"


@pytest.fixture(scope="module")
def guarded(process: ClientProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlmEngine]:
    """The package, connected to a server with one slot, one place in the queue, a key, and texts without an end."""
    folder = tmp_path_factory.mktemp("guarded")
    flags = ("--parallel", "1", "--max-queue", "1", "--api-key", KEY, "--ignore-eos")
    with running_server(folder, "--alias", "bundled", *flags) as url:
        yield LlmEngine(process, url, KEY)


def raised_by(client: LlmEngine, program: str) -> ClientError:
    with pytest.raises(ClientError) as caught:
        client.run(program)
    return caught.value


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            "max_new_tokens=2045",
            "max_new_tokens: expected at most 2044, since the prompt has 4 tokens and the context 2048, got 2045",
        ),
        (
            "guided_regex='a', guided_choice=['b']",
            "guided_regex and guided_choice: expected one of them, since a text can be made to match only one grammar",
        ),
        ("top_k=0", "top_k: expected -1 or a number from 1, got 0"),
        ("guided_grammar='root'", "guided_grammar: "),
    ],
)
def test_a_wrong_value_is_a_bad_request_that_names_it(
    guarded: LlmEngine, options: str, message: str, stream: bool
) -> None:
    error = raised_by(
        guarded, f"list(Completion.create(model='bundled', prompt='Once upon a time', {options}, stream={stream}))"
    )
    assert error.kind == "BadRequestError"
    assert error.message.startswith(message)


def test_a_prompt_that_is_too_long_is_a_bad_request_with_both_numbers(guarded: LlmEngine) -> None:
    error = raised_by(guarded, "Completion.create(model='bundled', prompt='a ' * 5000)")
    assert error.kind == "BadRequestError"
    assert "2048 tokens" in error.message


@pytest.mark.parametrize(
    "program",
    ["Completion.create(model='gpt-4', prompt='a')", "asyncio.run(Completion.acreate(model='gpt-4', prompt='a'))"],
)
def test_an_unknown_model_is_not_found(guarded: LlmEngine, program: str) -> None:
    error = raised_by(guarded, program)
    assert (error.kind, error.message) == (
        "NotFoundError",
        "model_endpoint_name: expected bundled, since no other is loaded, got gpt-4",
    )


@pytest.mark.parametrize("program", ["Model.list()", "Completion.create(model='bundled', prompt='a')"])
def test_a_wrong_key_is_unauthorized(guarded: LlmEngine, program: str) -> None:
    wrong = LlmEngine(guarded.process, guarded.url, "wrong")
    assert raised_by(wrong, program).kind == "UnauthorizedError"


def test_a_key_by_basic_authentication_alone_is_enough(guarded: LlmEngine) -> None:
    response = requests.get(f"{guarded.url}/v1/llm/model-endpoints", auth=(KEY, ""), timeout=SECONDS)
    assert response.status_code == 200


def test_a_download_needs_no_key(guarded: LlmEngine) -> None:
    [answer] = guarded.objects("print(Model.download('bundled').json())")
    [url] = answer["urls"].values()
    assert requests.head(url, timeout=SECONDS).status_code == 200
    assert requests.get(url.partition("?")[0], timeout=SECONDS).json()["detail"].startswith("signature: expected")


def test_a_full_queue_is_a_rate_limit(guarded: LlmEngine) -> None:
    error = raised_by(
        guarded,
        """
        from concurrent.futures import ThreadPoolExecutor

        def ask(_):
            return Completion.create(model="bundled", prompt="Once upon a time", max_new_tokens=600)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(ask, range(8)))
        """,
    )
    assert error.kind == "RateLimitExceededError"
    assert "all 1 slots are busy" in error.message


GIVE_UP = """
    try:
        Completion.create(model="bundled", prompt="Once upon a time", max_new_tokens=2000, timeout=0.1)
    except Exception as error:
        print(type(error).__name__)
"""
GIVE_UP_ASYNC = """
    async def main():
        try:
            await Completion.acreate(model="bundled", prompt="Once upon a time", max_new_tokens=2000, timeout=0.1)
        except asyncio.TimeoutError:
            print("TimeoutError")

    asyncio.run(main())
"""
LEAVE_A_STREAM = """
    stream = Completion.create(model="bundled", prompt="Once upon a time", max_new_tokens=2000, stream=True)
    next(stream)
    stream.close()
    print("closed")
"""


@pytest.mark.parametrize(
    ("program", "printed"),
    [(GIVE_UP, "ReadTimeout\n"), (GIVE_UP_ASYNC, "TimeoutError\n"), (LEAVE_A_STREAM, "closed\n")],
    ids=["create", "acreate", "stream"],
)
def test_a_client_that_gives_up_frees_its_slot(guarded: LlmEngine, program: str, printed: str) -> None:
    assert guarded.run(program) == printed
    assert n_tokens_when_idle(guarded) < 2000


def n_tokens_when_idle(client: LlmEngine) -> int:
    """Returns the number of tokens in the only slot of the server, once nothing is generated in it."""
    while True:
        [slot] = requests.get(f"{client.url}/slots", headers={"X-Api-Key": KEY}, timeout=SECONDS).json()
        if not slot["is_processing"]:
            return int(slot["n_cached_tokens"])


def test_a_model_that_still_loads_is_a_server_error(process: ClientProcess, tmp_path: Path) -> None:
    with running(tmp_path, *SLOW_PROGRAM, "600") as program:
        client = LlmEngine(process, program.url())
        for call in ("Model.list()", "Completion.create(model='bundled', prompt='a')"):
            error = raised_by(client, call)
            assert error.kind == "ServerError"
            assert error.message == "Server exception with status_code=503, message='Loading model'"


def test_an_error_midway_is_the_last_event_of_the_stream(process: ClientProcess, tmp_path: Path) -> None:
    flags = ("--shutdown-timeout", "0", "--ignore-eos")
    with running(tmp_path, *PROGRAM, *flags) as program:
        client = LlmEngine(process, program.ready_url())
        *events, last = client.objects(f"""
            import os
            stream = Completion.create(model="bundled", prompt="Once upon a time", max_new_tokens=2000, stream=True)
            print(next(stream).json())
            os.kill({program.process.pid}, 15)
            for response in stream:
                print(response.json())
        """)
    assert all(event["error"] is None for event in events)
    assert (last["request_id"], last["output"]) == (events[0]["request_id"], None)
    assert last["error"]["status_code"] == 503
    assert "shutting down" in last["error"]["content"]["error"]
    datetime.fromisoformat(last["error"]["content"]["timestamp"])
