"""Chats with a model of SentencePiece's kind that has no chat template: stories260K."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import running_server
from tests.server.http_client import events, post

MODEL = Path(__file__).parents[4] / "shared" / "data" / "stories260K.gguf"
BOS_TEMPLATE = "{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}[assistant]"
HI = {"messages": [{"role": "user", "content": "Hi there"}], "max_tokens": 1}

pytestmark = pytest.mark.skipif(not MODEL.exists(), reason="stories260K.gguf is not in ../shared/data")


@pytest.fixture(scope="module")
def chatml(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_server(tmp_path_factory.mktemp("chatml"), "--model", str(MODEL), "--ctx-size", "1024") as url:
        yield url


@pytest.fixture(scope="module")
def with_bos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    flags = ("--model", str(MODEL), "--ctx-size", "1024", "--chat-template", BOS_TEMPLATE)
    with running_server(tmp_path_factory.mktemp("bos"), *flags) as url:
        yield url


def test_chatml_without_its_tokens_ends_where_a_turn_ends(chatml: str) -> None:
    grammar = 'root ::= "Hello.<|im_end|>\\n<|im_start|>user\\nMore"'
    body = HI | {"max_tokens": 150, "grammar": grammar}
    choice = post(chatml, body, "/v1/chat/completions").json()["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("Hello.", "stop")
    streamed = post(chatml, body | {"stream": True}, "/v1/chat/completions").content.removesuffix(b"data: [DONE]\n\n")
    deltas = [event["choices"][0]["delta"].get("content") or "" for event in events(streamed)]
    assert "".join(deltas) == "Hello."


def test_prompt_of_a_template_has_bos_once_wherever_it_is_sent(with_bos: str) -> None:
    n_tokens = post(with_bos, HI, "/v1/chat/completions").json()["usage"]["prompt_tokens"]
    prompt = post(with_bos, HI, "/apply-template").json()["prompt"]
    assert not prompt.startswith("<s>")
    assert post(with_bos, {"prompt": prompt, "n_predict": 1}).json()["tokens_evaluated"] == n_tokens
    completion = post(with_bos, {"prompt": prompt, "max_tokens": 1}, "/v1/completions").json()
    assert completion["usage"]["prompt_tokens"] == n_tokens


@pytest.mark.parametrize("text", ["</s>", "say </s> twice</s>"])
def test_control_tokens_in_a_message_are_text(with_bos: str, text: str) -> None:
    def count(content: str) -> int:
        body = HI | {"messages": [{"role": "user", "content": content}]}
        return int(post(with_bos, body, "/v1/chat/completions").json()["usage"]["prompt_tokens"])

    spelled = post(with_bos, {"content": text, "parse_special": False}, "/tokenize").json()["tokens"]
    parsed = post(with_bos, {"content": text, "parse_special": True}, "/tokenize").json()["tokens"]
    assert count(text) - count("Hi") > len(parsed)
    assert count(text) - count("Hi") >= len(spelled) - 3


def test_tokens_with_special_ones_are_those_of_a_prompt(chatml: str) -> None:
    """A SentencePiece vocabulary puts a space before the first word of a prompt, but not of a part of one."""
    tokens = post(chatml, {"content": "I see", "add_special": True}, "/tokenize").json()["tokens"]
    assert post(chatml, {"tokens": tokens}, "/detokenize").json()["content"] == "<s> I see"
    body = {"prompt": ["I see", tokens], "n_predict": 16, "temperature": 0}
    first, second = post(chatml, body).json()
    assert (first["content"], first["prompt"]) == (second["content"], second["prompt"])
    assert first["prompt"] == "<s> I see"
