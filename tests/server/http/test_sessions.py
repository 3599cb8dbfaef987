import requests

from tests.server.http_client import SECONDS, STORY, complete, open_stream

COOKIE = "llama_slots_session"


def ask(client: requests.Session, server: str, prompt: str, **headers: str) -> requests.Response:
    body = {"prompt": prompt, "n_predict": 1}
    return client.post(f"{server}/completion", json=body, headers=headers, timeout=SECONDS)


def test_first_answer_sets_a_cookie_and_later_ones_do_not(server: str) -> None:
    with requests.Session() as client:
        assert "Set-Cookie" in ask(client, server, STORY).headers
        assert "Set-Cookie" not in ask(client, server, STORY).headers


def test_stream_sets_the_cookie_too(server: str) -> None:
    body = {"prompt": STORY, "n_predict": 1, "stream": True}
    assert COOKIE in requests.post(f"{server}/completion", json=body, timeout=SECONDS).cookies


def test_cookie_is_out_of_reach_for_scripts_and_other_sites(server: str) -> None:
    with requests.Session() as client:
        attributes = ask(client, server, STORY).headers["Set-Cookie"].split("; ")[1:]
    assert set(attributes) == {"HttpOnly", "SameSite=Lax", "Path=/"}


def test_cookie_of_an_encrypted_connection_stays_on_such(server: str) -> None:
    with requests.Session() as client:
        cookie = ask(client, server, STORY, **{"X-Forwarded-Proto": "https"}).headers["Set-Cookie"]
    assert "Secure" in cookie.split("; ")


def test_forged_cookie_is_replaced(server: str) -> None:
    with requests.Session() as client:
        ask(client, server, STORY)
        forged = f"{COOKIE}=somebody.{client.cookies[COOKIE].rpartition('.')[2]}"
    assert COOKIE in ask(requests.Session(), server, STORY, Cookie=forged).cookies


def test_session_gets_its_slot_again(server: str) -> None:
    with requests.Session() as client:
        first = ask(client, server, "A tale of two slots").json()
        complete(server, prompt="Somebody else comes in between")
        assert ask(client, server, "Nothing in common").json()["slot_id"] == first["slot_id"]


def test_session_goes_on_where_it_was(server: str) -> None:
    with requests.Session() as client:
        ask(client, server, "The conversation of one client with the server")
        again = ask(client, server, "The conversation of one client with the server goes on").json()
    assert again["tokens_cached"] > 0


def test_session_of_a_busy_slot_gets_another_one(server: str) -> None:
    with requests.Session() as client:
        busy = ask(client, server, STORY).json()["slot_id"]
        with open_stream(server, slot_id=busy):
            assert ask(client, server, STORY).json()["slot_id"] != busy
