"""POST /api/embed, and /api/embeddings before it."""

from typing import Any

import numpy as np
import pytest

from tests.server.http_client import Json, post

LONG = "word " * 3000


def embed(url: str, text: object, **fields: Any) -> Json:
    response = post(url, {"model": "any", "input": text, **fields}, "/api/embed")
    assert response.status_code == 200, response.text
    answer: Json = response.json()
    return answer


def refusal(url: str, path: str, **fields: Any) -> str:
    response = post(url, fields, path)
    assert (response.status_code, list(response.json())) == (400, ["error"])
    return str(response.json()["error"])


def test_embeddings_are_those_of_openais_dialect(server: str) -> None:
    ours = embed(server, ["A cat.", "A dog."])
    openai = post(server, {"input": ["A cat.", "A dog."]}, "/v1/embeddings").json()
    assert ours["embeddings"] == [entry["embedding"] for entry in openai["data"]]
    assert ours["prompt_eval_count"] == openai["usage"]["prompt_tokens"]
    assert ours["model"] == "any"
    assert isinstance(ours["total_duration"], int)
    assert ours["total_duration"] > 0


def test_one_text_has_a_list_of_one(server: str) -> None:
    assert np.shape(embed(server, "A cat.")["embeddings"]) == (1, 128)


@pytest.mark.parametrize("nothing", ["", [], None])
def test_nothing_has_no_embeddings(server: str, nothing: object) -> None:
    assert embed(server, nothing)["embeddings"] == []


def test_embeddings_are_shortened_to_a_length_of_one(server: str) -> None:
    [whole], [short] = (embed(server, "A cat.", dimensions=n)["embeddings"] for n in (0, 16))
    assert len(short) == 16
    assert np.linalg.norm(short) == pytest.approx(1)
    assert np.array(whole[:16]) / np.linalg.norm(whole[:16]) == pytest.approx(np.array(short), abs=1e-5)
    assert embed(server, "A cat.", dimensions=4096)["embeddings"] == [whole]


def test_long_text_is_cut_off(server: str) -> None:
    answer = embed(server, [LONG, "A cat."])
    assert 1_000 < answer["prompt_eval_count"] < 3_000
    assert np.linalg.norm(answer["embeddings"][0]) == pytest.approx(1)


def test_long_text_is_refused_if_it_is_not_to_be_cut_off(server: str) -> None:
    assert "is too large" in refusal(server, "/api/embed", input=LONG, truncate=False)


def test_old_endpoint_has_one_embedding_as_the_model_computes_it(server: str) -> None:
    old = np.array(post(server, {"model": "any", "prompt": "A cat."}, "/api/embeddings").json()["embedding"])
    [new] = embed(server, "A cat.")["embeddings"]
    assert old / np.linalg.norm(old) == pytest.approx(np.array(new), abs=1e-5)
    assert np.linalg.norm(old) != pytest.approx(1)
    assert post(server, {"model": "any"}, "/api/embeddings").json() == {"embedding": []}


def test_error_names_the_field(server: str) -> None:
    assert refusal(server, "/api/embed", input=5).startswith("input: expected a string")
    assert refusal(server, "/api/embed", input="a", dimensions=-1).startswith("dimensions: expected 0 or more")
    assert refusal(server, "/api/embeddings", prompt=5) == "prompt: expected a string, got 5"
