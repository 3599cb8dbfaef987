import json
import socket
from urllib.parse import urlsplit

import requests

from tests.server.api.llama.test_completion import RESULT_FIELDS
from tests.server.http_client import SECONDS, STORY, complete, get, joined_text, open_stream, post, stream


def test_events_end_with_everything_and_say_little_before(server: str) -> None:
    *chunks, last = stream(server)
    small = {"index", "content", "tokens", "stop", "slot_id", "id_slot", "tokens_predicted", "tokens_evaluated"}
    assert all(chunk.keys() == small and chunk["stop"] is False for chunk in chunks)
    assert last.keys() == RESULT_FIELDS
    assert (last["stop"], last["content"]) == (True, "")


def test_chunks_add_up_to_the_text_of_a_whole_answer(server: str) -> None:
    assert joined_text(stream(server, n_predict=24)) == complete(server, n_predict=24)["content"]


def test_each_token_is_an_event(server: str) -> None:
    *chunks, last = stream(server, ignore_eos=True)
    assert [len(chunk["tokens"]) for chunk in chunks] == [1] * last["tokens_predicted"]
    assert [chunk["tokens_predicted"] for chunk in chunks] == list(range(1, len(chunks) + 1))


def test_n_predict_0_is_only_the_last_event(server: str) -> None:
    [last] = stream(server, n_predict=0)
    assert (last["stop"], last["tokens_predicted"]) == (True, 0)


def test_chunks_name_the_slot(server: str) -> None:
    *chunks, last = stream(server)
    assert {chunk["slot_id"] for chunk in chunks} == {chunk["id_slot"] for chunk in chunks} == {last["slot_id"]}


def test_stop_string_is_never_partly_shown(server: str) -> None:
    text = complete(server, n_predict=24, ignore_eos=True)["content"]
    word = text[len(text) // 2 :][:5]
    all_chunks = stream(server, n_predict=24, ignore_eos=True, stop=[word])
    assert joined_text(all_chunks) == text[: text.index(word)]
    assert all_chunks[-1]["stopping_word"] == word


def test_text_is_whole_characters_at_every_event(server: str) -> None:
    wild = {"temperature": 5.0, "top_k": 0, "top_p": 1, "min_p": 0, "seed": 1, "n_predict": 64}
    all_chunks = stream(server, **wild, ignore_eos=True)
    assert joined_text(all_chunks) == complete(server, **wild, ignore_eos=True)["content"]


def test_answer_is_an_event_stream_that_no_proxy_holds_back(server: str) -> None:
    response = post(server, {"prompt": STORY, "n_predict": 1, "stream": True})
    assert response.headers["Content-Type"].startswith("text/event-stream")
    assert response.headers["Cache-Control"] == "no-cache"
    assert response.headers["X-Accel-Buffering"] == "no"


def test_first_token_leaves_before_the_last_is_known(server: str) -> None:
    with open_stream(server) as first:
        assert json.loads(first.removeprefix(b"data: "))["tokens_predicted"] == 1
        assert any(slot["is_processing"] for slot in get(f"{server}/slots").json())


def test_request_that_cannot_start_is_refused_with_a_status(server: str) -> None:
    n_vocab = get(f"{server}/v1/models").json()["data"][0]["meta"]["n_vocab"]
    ruled_out = {str(token): False for token in range(n_vocab)}
    response = post(server, {"prompt": STORY, "stream": True, "logit_bias": ruled_out})
    assert response.status_code == 400
    assert response.json()["error"]["message"].startswith("logit_bias: ")


def test_request_on_a_connection_that_is_kept(server: str) -> None:
    with requests.Session() as session:
        for _ in range(2):
            body = {"prompt": STORY, "n_predict": 2, "stream": True}
            assert session.post(f"{server}/completion", json=body, timeout=SECONDS).text.count("data: ") == 3


def test_http_1_0_client_gets_its_events(server: str) -> None:
    body = json.dumps({"prompt": STORY, "n_predict": 2, "ignore_eos": True, "stream": True}).encode()
    address = urlsplit(server)
    with socket.create_connection((address.hostname, address.port), timeout=SECONDS) as client:
        client.sendall(b"POST /completion HTTP/1.0\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert answer.count(b"data: ") == 3
