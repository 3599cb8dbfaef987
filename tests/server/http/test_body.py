"""Bodies in a content coding."""

import gzip
import json
import zlib

import pytest
import requests

from server.http.body import MAX_BYTES
from tests.server.http_client import SECONDS, get_error

BODY = json.dumps({"prompt": "Once", "n_predict": 1, "temperature": 0}).encode()


def post(url: str, body: bytes, coding: str) -> requests.Response:
    return requests.post(f"{url}/completion", data=body, headers={"Content-Encoding": coding}, timeout=SECONDS)


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(BODY)),
        ("GZip", gzip.compress(BODY)),
        ("x-gzip", gzip.compress(BODY)),
        ("deflate", zlib.compress(BODY)),
        ("identity", BODY),
    ],
    ids=["gzip", "GZip", "x-gzip", "deflate", "identity"],
)
def test_a_compressed_body_is_read(server: str, coding: str, body: bytes) -> None:
    assert post(server, body, coding).status_code == 200


def test_an_unknown_coding_is_refused_by_name(server: str) -> None:
    response = post(server, BODY, "br")
    message = 'Content-Encoding: expected gzip, deflate or identity, got "br"'
    assert (get_error(response)["code"], get_error(response)["message"]) == (415, message)
    assert response.headers["Accept-Encoding"] == "gzip, deflate"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (BODY, "body: expected gzip, as Content-Encoding says, got something else"),
        (gzip.compress(BODY)[:-9], "body: expected the whole of a gzip stream, got only its beginning"),
    ],
    ids=["plain", "cut off"],
)
def test_a_body_that_is_not_in_its_coding_is_a_400(server: str, body: bytes, message: str) -> None:
    error = get_error(post(server, body, "gzip"))
    assert (error["code"], error["message"]) == (400, message)


def test_a_body_that_grows_beyond_the_limit_is_refused(server: str) -> None:
    assert get_error(post(server, gzip.compress(b" " * (MAX_BYTES + 1)), "gzip"))["code"] == 413
