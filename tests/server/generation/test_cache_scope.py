"""Which requests share prefixes."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from server.generation.endpoint import make_cache_salt
from tests.conftest import running_server
from tests.server.http_client import SECONDS, Json, complete, get, refusal

LONG = "The grey cat of the miller sat on the long wall and looked at the mice that ran by. " * 6


def request(**headers: str) -> Request:
    raw = [(name.replace("_", "-").lower().encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "headers": raw})


def test_salt_is_empty_for_those_who_share_with_everybody() -> None:
    assert make_cache_salt(request(authorization="Bearer a"), "session", "none", "") == ""


@given(st.tuples(st.text(), st.text()), st.tuples(st.text(), st.text()))
def test_salts_are_equal_only_if_all_their_parts_are(one: tuple[str, str], other: tuple[str, str]) -> None:
    salts = [make_cache_salt(request(), session_id, "session", cache_salt) for session_id, cache_salt in (one, other)]
    assert (salts[0] == salts[1]) == (one == other)


def test_parts_cannot_be_moved_into_each_other() -> None:
    assert make_cache_salt(request(), "a", "session", "b") != make_cache_salt(request(), "ab", "session", "")
    assert make_cache_salt(request(), "a", "session", "") != make_cache_salt(request(), "", "session", "a")


def test_salt_does_not_show_what_it_was_made_of() -> None:
    salt = make_cache_salt(request(authorization="Bearer first-key"), "", "key", "secret")
    assert "first-key" not in salt
    assert "secret" not in salt


def test_a_key_is_the_same_in_either_header() -> None:
    bearer, header = request(authorization="Bearer schlüssel"), request(x_api_key="schlüssel")
    assert make_cache_salt(bearer, "", "key", "") == make_cache_salt(header, "", "key", "") != ""


def test_sessions_make_no_difference_where_keys_are_kept_apart() -> None:
    one_key = request(authorization="Bearer a")
    assert make_cache_salt(one_key, "one", "key", "") == make_cache_salt(one_key, "other", "key", "")


def n_cached(url: str, prompt: str, **options: Any) -> int:
    result: Json = complete(url, prompt=prompt, n_predict=1, cache_prompt=True, **options)
    return int(result["tokens_cached"])


def test_prefixes_are_shared_by_equal_salts_only(server: str) -> None:
    assert n_cached(server, LONG, cache_salt="one") == 0
    assert n_cached(server, LONG, cache_salt="two") == 0
    assert n_cached(server, LONG) == 0
    assert n_cached(server, LONG, cache_salt="one") > 0


def test_an_empty_salt_is_none(server: str) -> None:
    n_cached(server, f"Unsalted: {LONG}")
    assert n_cached(server, f"Unsalted: {LONG}", cache_salt="") > 0


def test_salt_comes_back_to_who_sent_it(server: str) -> None:
    assert complete(server, cache_salt="mine")["generation_settings"]["cache_salt"] == "mine"
    assert complete(server)["generation_settings"]["cache_salt"] == ""


@pytest.mark.parametrize(
    ("salt", "message"),
    [
        (5, "cache_salt: expected a string, got 5"),
        (["a"], 'cache_salt: expected a string, got ["a"]'),
        ("a" * 257, "cache_salt: expected at most 256 characters, got 257"),
    ],
)
def test_wrong_salt_is_refused(server: str, salt: Any, message: str) -> None:
    assert refusal(server, cache_salt=salt) == message


@pytest.fixture(scope="module")
def server_of_sessions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_server(tmp_path_factory.mktemp("sessions"), "--cache-isolation", "session") as url:
        yield url


@pytest.fixture(scope="module")
def server_of_keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    flags = ("--cache-isolation", "key", "--api-key", "one,two")
    with running_server(tmp_path_factory.mktemp("keys"), *flags) as url:
        yield url


def n_cached_for(client: requests.Session, url: str, **headers: str) -> int:
    body = {"prompt": LONG, "n_predict": 1}
    result = client.post(f"{url}/completion", json=body, headers=headers, timeout=SECONDS).json()
    return int(result["tokens_cached"])


def test_sessions_that_are_kept_apart_share_nothing(server_of_sessions: str) -> None:
    with requests.Session() as one, requests.Session() as other:
        assert n_cached_for(one, server_of_sessions) == 0
        assert n_cached_for(other, server_of_sessions) == 0
        assert n_cached_for(one, server_of_sessions) > 0
        assert n_cached_for(other, server_of_sessions) > 0


def test_clients_without_a_cookie_are_each_a_session(server_of_sessions: str) -> None:
    assert n_cached(server_of_sessions, f"Once: {LONG}") == n_cached(server_of_sessions, f"Once: {LONG}") == 0


def test_keys_that_are_kept_apart_share_nothing(server_of_keys: str) -> None:
    with requests.Session() as client:
        assert n_cached_for(client, server_of_keys, Authorization="Bearer one") == 0
        assert n_cached_for(client, server_of_keys, Authorization="Bearer two") == 0
    with requests.Session() as client:
        assert n_cached_for(client, server_of_keys, **{"X-Api-Key": "one"}) > 0


def test_slots_do_not_tell_salts(server: str) -> None:
    complete(server, cache_salt="whispered", n_predict=1)
    assert "whispered" not in get(f"{server}/slots").text
