"""POST /v1/embeddings, as OpenAI documents it."""

import threading
from base64 import b64decode
from typing import Any

import numpy as np
import pytest
import requests

from tests.server.api.embeddings.embedding_client import cosine, embeddings, post_error, post_ok
from tests.server.http_client import complete, open_stream, tokenize

HELLO = "Hello there"


def test_a_text_is_answered_with_its_embedding_and_usage(server: str) -> None:
    answer = post_ok(server, "/v1/embeddings", input=HELLO, model="gpt-4", user="somebody")
    [embedding] = answer["data"]
    assert (answer["object"], answer["model"]) == ("list", "bundled")
    assert (embedding["object"], embedding["index"], len(embedding["embedding"])) == ("embedding", 0, 128)
    n_tokens = len(tokenize(server, HELLO))
    assert answer["usage"] == {"prompt_tokens": n_tokens, "total_tokens": n_tokens}


def test_an_embedding_has_the_length_1(server: str) -> None:
    assert np.linalg.norm(embeddings(server, HELLO)[0]) == pytest.approx(1, abs=1e-5)


def test_a_text_can_come_as_tokens_and_several_in_a_list(server: str) -> None:
    tokens = tokenize(server, HELLO)
    [alone] = embeddings(server, HELLO)
    for several in ([HELLO, "another"], [tokens, [1, 2]], [HELLO, tokens]):
        first, second = embeddings(server, several)
        assert cosine(first, alone) == pytest.approx(1, abs=1e-3)
        assert np.array_equal(first, second) == (several == [HELLO, tokens])
    assert np.allclose(embeddings(server, tokens)[0], alone, atol=1e-6)


def test_similar_texts_are_nearer_than_others(server: str) -> None:
    fox, foxes, code = embeddings(server, ["The fox is red.", "The foxes are red.", "def f(x): return x + 1"])
    assert cosine(fox, foxes) > cosine(fox, code)


def test_base64_holds_the_same_numbers_as_little_endian_floats(server: str) -> None:
    answer = post_ok(server, "/v1/embeddings", input=HELLO, encoding_format="base64")
    numbers = np.frombuffer(b64decode(answer["data"][0]["embedding"]), "<f4")
    assert np.array_equal(numbers, embeddings(server, HELLO)[0].astype(np.float32))


def test_fewer_dimensions_are_the_first_ones_of_length_1(server: str) -> None:
    [whole], [short] = embeddings(server, HELLO), embeddings(server, HELLO, dimensions=10)
    assert np.allclose(short, whole[:10] / np.linalg.norm(whole[:10]), atol=1e-6)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "input: expected a string"),
        ({"input": 5}, "input: expected a string"),
        ({"input": {"text": "a"}}, "input: expected a string"),
        ({"input": ""}, "input: expected a text that is not empty"),
        ({"input": []}, "input: expected a text that is not empty"),
        ({"input": ["a", ""]}, "input[1]: expected a text that is not empty"),
        ({"input": ["a", []]}, "input[1]: expected a text that is not empty"),
        ({"input": ["a", None]}, "input[1]: expected a string"),
        ({"input": [1, None]}, "input[1]: expected a string or the id of a token, got nothing"),
        ({"input": {"content": 5}}, "input.content: expected a string or a list of text parts"),
        ({"input": ["a", {"prompt_string": 5}]}, "input[1].prompt_string: expected a string"),
        ({"input": [[1], [2, 3072]]}, "input[1][1]: expected the id of a token, from 0 to 3071, got 3072"),
        ({"input": ["a"] * 2049}, "input: expected at most 2048 texts, got 2049"),
        (
            {"input": [[1, 2], [1] * 2049]},
            "input[1]: has 2049 tokens, which is more than a text to embed may have, 2048",
        ),
        ({"input": "a", "dimensions": 0}, "dimensions: expected a number from 1 to 128"),
        ({"input": "a", "dimensions": 129}, "dimensions: expected a number from 1 to 128"),
        ({"input": "a", "encoding_format": "binary"}, "encoding_format: expected float or base64"),
    ],
)
def test_what_cannot_be_embedded_is_refused_by_name(server: str, fields: dict[str, Any], words: str) -> None:
    assert post_error(server, "/v1/embeddings", **fields)["message"].startswith(words)


def test_as_many_texts_as_openai_takes_are_one_request(server: str) -> None:
    answer = post_ok(server, "/v1/embeddings", input=["a"] * 2048, encoding_format="base64")
    assert len({each["embedding"] for each in answer["data"]}) < 10
    assert answer["usage"]["prompt_tokens"] == 2048


def test_too_many_tokens_are_counted_before_they_are_looked_at(server: str) -> None:
    message = post_error(server, "/v1/embeddings", input=["a", [-1] * 2049])["message"]
    assert message.startswith("input[1]: has 2049 tokens")


def test_embeddings_and_streams_run_side_by_side(server: str) -> None:
    found: list[list[Any]] = []
    threads = [threading.Thread(target=lambda: found.append(embeddings(server, [HELLO] * 20))) for _ in range(4)]
    with open_stream(server, n_predict=200):
        for thread in threads:
            thread.start()
        assert complete(server, n_predict=8)["tokens_predicted"] == 8
        for thread in threads:
            thread.join()
    assert [len(each) for each in found] == [20] * 4


def test_a_client_that_goes_away_does_not_hold_others_up(server: str) -> None:
    with pytest.raises(requests.Timeout):
        requests.post(f"{server}/v1/embeddings", json={"input": ["a " * 1000] * 1000}, timeout=0.2)
    assert len(embeddings(server, HELLO)) == 1


def test_an_encoder_embeds_what_its_special_tokens_stand_around(encoder: str) -> None:
    answer = post_ok(encoder, "/v1/embeddings", input=["fox", "once upon time"])
    assert answer["usage"]["prompt_tokens"] == 3 + 5
    words = "which is more than a text to embed may have, 96 tokens"
    assert words in post_error(encoder, "/v1/embeddings", input="fox " * 95)["message"]


@pytest.mark.parametrize("stream", [False, True])
def test_an_encoder_generates_no_text_and_says_so(encoder: str, stream: bool) -> None:
    error = post_error(encoder, "/completion", 501, prompt="fox", stream=stream)
    assert error["message"] == "this server only computes embeddings; it generates no text"


def test_a_server_for_embeddings_tells_about_itself(encoder: str) -> None:
    assert requests.get(f"{encoder}/health", timeout=60).json() == {"status": "ok"}
    assert requests.get(f"{encoder}/slots", timeout=60).json() == []
    props = requests.get(f"{encoder}/props", timeout=60).json()
    assert (props["total_slots"], props["default_generation_settings"]["n_ctx"]) == (0, 96)
    [model] = requests.get(f"{encoder}/v1/models", timeout=60).json()["data"]
    assert model["architecture"] == {"input_modalities": ["text"], "output_modalities": ["embeddings"]}
    assert tokenize(encoder, "fox") != []


def test_a_text_may_be_an_object_with_its_parts_or_its_prompt(server: str) -> None:
    parts = [{"type": "text", "text": "Hello"}, {"type": "text", "text": " there"}]
    whole, joined, prompt = embeddings(server, [HELLO, {"content": parts}, {"prompt_string": HELLO}])
    assert np.array_equal(whole, joined)
    assert np.array_equal(whole, prompt)
    [alone] = embeddings(server, {"prompt_string": HELLO})
    assert np.allclose(alone, whole, atol=1e-3)


def test_a_text_may_be_of_token_ids_and_strings(server: str) -> None:
    tokens = tokenize(server, HELLO)
    [mixed], [whole] = embeddings(server, [*tokens, HELLO]), embeddings(server, [*tokens, *tokens])
    assert np.allclose(mixed, whole, atol=1e-6)


@pytest.mark.parametrize("path", ["/embedding", "/v1/embeddings"])
def test_an_empty_text_has_an_embedding_where_tokens_stand_around_it(encoder: str, path: str) -> None:
    answer = post_ok(encoder, path, input="")
    [embedding] = answer if path == "/embedding" else answer["data"]
    assert np.isfinite(np.array(embedding["embedding"])).all()
