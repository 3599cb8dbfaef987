"""Whose prompts GET /slots shows."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
import requests

from tests.conftest import running_server
from tests.server.http_client import SECONDS, STORY, Json, get, n_busy, open_stream, wait_until

SECRET = "The code of the safe is seven "


@pytest.fixture(scope="module")
def open_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_server(tmp_path_factory.mktemp("open"), "--slots-prompts", "--context-shift") as url:
        yield url


def begun_by(client: requests.Session, url: str, **options: Any) -> AbstractContextManager[bytes]:
    return open_stream(url, client, slot_id=2, **{"prompt": SECRET} | options)


def its_slot(client: requests.Session, url: str) -> Json:
    slot: Json = client.get(f"{url}/slots", timeout=SECONDS).json()[2]
    assert slot["is_processing"]
    return slot


def test_session_sees_its_own_text(server: str) -> None:
    with requests.Session() as client, begun_by(client, server):
        slot = its_slot(client, server)
    assert slot["prompt"] == SECRET
    assert slot["generated"]


def test_others_see_none_of_it(server: str) -> None:
    with requests.Session() as client, requests.Session() as other, begun_by(client, server):
        other.post(f"{server}/completion", json={"prompt": "a", "n_predict": 1}, timeout=SECONDS)
        for answer in (get(f"{server}/slots"), other.get(f"{server}/slots", timeout=SECONDS)):
            assert "safe" not in answer.text
            assert not any({"prompt", "generated"} & slot.keys() for slot in answer.json())


def test_forged_cookie_sees_none_of_it(server: str) -> None:
    with requests.Session() as client, begun_by(client, server):
        name, cookie = next(iter(client.cookies.items()))
        forged = {name: cookie.rpartition(".")[0] + ".AAAA"}
        assert "safe" not in requests.get(f"{server}/slots", cookies=forged, timeout=SECONDS).text


def test_who_asks_for_slots_gets_no_cookie(server: str) -> None:
    assert not get(f"{server}/slots").cookies


def test_everybody_sees_all_of_it_where_that_is_asked_for(open_server: str) -> None:
    with open_stream(open_server, prompt=[STORY, SECRET]):
        wait_until(lambda: n_busy(open_server) == 2, "the start of both")
        slots = get(f"{open_server}/slots").json()
    assert {slot["prompt"] for slot in slots if slot["is_processing"]} == {STORY, SECRET}


def test_special_tokens_are_shown(open_server: str) -> None:
    with requests.Session() as client, begun_by(client, open_server, prompt="<|im_start|>user\nHello"):
        assert its_slot(client, open_server)["prompt"] == "<|im_start|>user\nHello"


def test_system_prompt_is_not_shown(open_server: str) -> None:
    with requests.Session() as client, begun_by(client, open_server, system_prompt="You are a spy. "):
        assert its_slot(client, open_server)["prompt"] == SECRET
        assert "spy" not in get(f"{open_server}/slots").text


def test_idle_slot_shows_none(open_server: str) -> None:
    wait_until(lambda: n_busy(open_server) == 0, "the end of other requests")
    assert not any({"prompt", "generated"} & slot.keys() for slot in get(f"{open_server}/slots").json())


def test_busy_slot_counts_what_was_computed_and_what_was_there(server: str) -> None:
    with requests.Session() as client, begun_by(client, server, cache_prompt=False):
        slot = its_slot(client, server)
    assert (slot["n_prompt_tokens_processed"], slot["n_prompt_tokens_cache"]) == (slot["n_prompt_tokens"], 0)
    assert slot["n_cached_tokens"] >= slot["n_prompt_tokens"] > 0
    with requests.Session() as client, begun_by(client, server):
        slot = its_slot(client, server)
    assert slot["n_prompt_tokens_processed"] + slot["n_prompt_tokens_cache"] == slot["n_prompt_tokens"]
    assert slot["n_prompt_tokens_cache"] > 0
    assert slot["waits_for"] is None


def test_idle_slot_counts_nothing(open_server: str) -> None:
    wait_until(lambda: n_busy(open_server) == 0, "the end of other requests")
    slot = get(f"{open_server}/slots").json()[3]
    assert (slot["n_prompt_tokens"], slot["n_prompt_tokens_processed"], slot["n_prompt_tokens_cache"]) == (0, 0, 0)
