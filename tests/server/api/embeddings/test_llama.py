"""POST /embedding, as llama.cpp documents it, and POST /embeddings, which speaks OpenAI's dialect too."""

from pathlib import Path

import numpy as np
import pytest

from tests.conftest import running_server
from tests.server.api.embeddings.embedding_client import embeddings, post_error, post_ok
from tests.server.http_client import tokenize

HELLO = "Hello there"


@pytest.mark.parametrize("path", ["/embedding", "/embeddings"])
def test_each_text_has_a_list_with_its_embedding(server: str, path: str) -> None:
    answer = post_ok(server, path, content=[HELLO, "another"])
    assert [each["index"] for each in answer] == [0, 1]
    assert np.array(answer[0]["embedding"]).shape == (1, 128)
    assert np.allclose(answer[0]["embedding"][0], embeddings(server, [HELLO, "another"])[0], atol=1e-6)


def test_embedding_takes_input_for_content(server: str) -> None:
    assert post_ok(server, "/embedding", input=HELLO) == post_ok(server, "/embedding", content=HELLO)


def test_embeddings_without_content_is_openais(server: str) -> None:
    assert post_ok(server, "/embeddings", input=HELLO) == post_ok(server, "/v1/embeddings", input=HELLO)


def test_the_norm_is_what_a_request_asks_for(server: str) -> None:
    def embedding(norm: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.array(post_ok(server, "/embedding", content=HELLO, embd_normalize=norm)[0]["embedding"][0])

    raw = embedding(-1)
    assert np.linalg.norm(raw) != pytest.approx(1, abs=0.1)
    assert np.abs(embedding(0)).max() == pytest.approx(32760)
    assert np.abs(embedding(1)).sum() == pytest.approx(1)
    assert np.linalg.norm(embedding(2)) == pytest.approx(1)
    assert (np.abs(embedding(3)) ** 3).sum() == pytest.approx(1)
    for norm in (0, 1, 2, 3):
        assert np.allclose(embedding(norm) / np.abs(embedding(norm)).max(), raw / np.abs(raw).max(), atol=1e-5)
    assert "embd_normalize" in post_error(server, "/embedding", content=HELLO, embd_normalize=-2)["message"]


def test_an_error_names_content(server: str) -> None:
    assert post_error(server, "/embedding", content=["a", ""])["message"].startswith("content[1]: ")
    assert post_error(server, "/embedding")["message"].startswith("content: ")


def test_without_pooling_each_token_has_an_embedding(tmp_path: Path) -> None:
    with running_server(tmp_path, "--embedding", "--pooling", "none", "--embd-normalize", "1") as url:
        [answer] = post_ok(url, "/embedding", content=HELLO)
        assert np.array(answer["embedding"]).shape == (len(tokenize(url, HELLO)), 128)
        assert np.abs(answer["embedding"][0]).sum() > 2
        assert "--pooling none" in post_error(url, "/v1/embeddings", input=HELLO)["message"]
        assert post_error(url, "/completion", 501, prompt=HELLO)["type"] == "not_supported_error"


def test_the_norm_of_a_flag_is_llama_cpps_alone(tmp_path: Path) -> None:
    with running_server(tmp_path, "--embd-normalize", "1", "--pooling", "last") as url:
        assert np.abs(post_ok(url, "/embedding", content=HELLO)[0]["embedding"][0]).sum() == pytest.approx(1)
        assert np.linalg.norm(embeddings(url, HELLO)[0]) == pytest.approx(1)
