"""Requests for embeddings."""

from typing import Any

import numpy as np
import numpy.typing as npt

from tests.server.http_client import Json, get_error, post

Vector = npt.NDArray[np.float64]


def embeddings(url: str, text: object, **fields: Any) -> list[Vector]:
    """Returns the embeddings in OpenAI's dialect, by index."""
    answer = post_ok(url, "/v1/embeddings", input=text, **fields)
    assert [each["index"] for each in answer["data"]] == list(range(len(answer["data"])))
    return [np.array(each["embedding"]) for each in answer["data"]]


def post_ok(url: str, path: str, **fields: Any) -> Any:
    response = post(url, fields, path)
    assert response.status_code == 200, response.text
    return response.json()


def post_error(url: str, path: str, status: int = 400, **fields: Any) -> Json:
    """Returns the error in the response to a request, in either dialect."""
    response = post(url, fields, path)
    assert response.status_code == status, response.text
    if "param" not in response.json()["error"]:
        return get_error(response)
    error: Json = response.json()["error"]
    return error


def cosine(one: Vector, other: Vector) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))
