import pytest
from starlette.requests import Request

from server.http.public_url import public_base_url


def base_url(scheme: str = "http", **headers: str) -> str:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return public_base_url(Request({"type": "http", "scheme": scheme, "path": "/", "headers": raw}))


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "llm.example", "[::1]:8080"])
def test_the_host_is_the_one_that_the_client_used(host: str) -> None:
    assert base_url(host=host) == f"http://{host}"


@pytest.mark.parametrize("forwarded", ["https", "https, http"])
def test_a_proxy_may_say_that_the_connection_to_it_is_encrypted(forwarded: str) -> None:
    assert base_url(host="llm.example", x_forwarded_proto=forwarded) == "https://llm.example"


@pytest.mark.parametrize("forwarded", ["http", "gopher", ""])
def test_any_other_word_of_a_proxy_means_http(forwarded: str) -> None:
    assert base_url(host="llm.example", x_forwarded_proto=forwarded) == "http://llm.example"


def test_an_encrypted_connection_stays_one() -> None:
    assert base_url("https", host="llm.example") == "https://llm.example"
