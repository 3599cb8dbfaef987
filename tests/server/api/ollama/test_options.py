"""The member `options`, and other options that Ollama has and other dialects do not."""

from types import SimpleNamespace
from typing import Any

import pytest

from server.api.ollama.protocol import OllamaChatBody
from server.options.generation_options import GenerationOptions
from slots.errors import InvalidRequest
from tests.server.api.ollama.ollama_client import TURN, chat, refusal
from tests.server.http_client import Json, post

OLLAMAS_OWN_EXAMPLE: Json = {
    **{"num_keep": 5, "seed": 42, "num_predict": 100, "draft_num_predict": 4, "top_k": 20, "top_p": 0.9, "min_p": 0.0},
    **{"typical_p": 0.7, "repeat_last_n": 33, "temperature": 0.8, "repeat_penalty": 1.2, "presence_penalty": 1.5},
    **{"frequency_penalty": 1.0, "penalize_newline": True, "stop": ["\n", "user:"], "numa": False, "num_ctx": 1024},
    **{"num_batch": 2, "num_gpu": 1, "main_gpu": 0, "use_mmap": True, "num_thread": 8},
}
OF_OLDER_CLIENTS: Json = {
    **{"tfs_z": 0.9, "mirostat": 1, "mirostat_tau": 0.8, "mirostat_eta": 0.6, "low_vram": False, "f16_kv": True},
    **{"logits_all": False, "vocab_only": False, "embedding_only": False, "use_mlock": False},
}


def parse(defaults: GenerationOptions | None = None, **fields: Any) -> OllamaChatBody:
    return OllamaChatBody.parse({"messages": [TURN], **fields}, SimpleNamespace(vocab=None), defaults)


def test_all_of_ollamas_options_are_known(server: str) -> None:
    body = parse(options=OLLAMAS_OWN_EXAMPLE | OF_OLDER_CLIENTS)
    assert body.unknown_options() == ()
    assert (body.n_keep, body.seed, body.n_predict, body.n_draft) == (5, 42, 100, 4)
    assert (body.top_k, body.top_p, body.min_p, body.typical_p, body.tfs_z) == (20, 0.9, 0, 0.7, 0.9)
    assert (body.repeat_last_n, body.repeat_penalty, body.penalize_nl) == (33, 1.2, True)
    assert (body.presence_penalty, body.frequency_penalty, body.stop) == (1.5, 1, ("\n", "user:"))
    assert (body.mirostat, body.mirostat_tau, body.mirostat_eta) == (1, 0.8, 0.6)
    assert chat(server, options=OLLAMAS_OWN_EXAMPLE | OF_OLDER_CLIENTS | {"num_predict": 2})["done"]


def test_defaults_are_ollamas() -> None:
    body = parse()
    assert (body.temperature, body.top_k, body.top_p, body.min_p, body.repeat_penalty) == (0.8, 40, 0.9, 0, 1)
    assert (body.repeat_last_n, body.n_keep, body.n_predict, body.stream) == (64, 4, -1, True)


def test_flags_of_the_server_come_before_them() -> None:
    assert parse(GenerationOptions(top_p=0.5)).top_p == 0.5
    assert parse(GenerationOptions(top_p=0.5), options={"top_p": 0.6}).top_p == 0.6


def test_other_options_may_be_given_there_or_beside_it() -> None:
    body = parse(options={"xtc_probability": 0.5, "grammar": 'root ::= "a"'}, dry_multiplier=0.8)
    assert (body.xtc_probability, body.dry_multiplier) == (0.5, 0.8)
    assert body.constraint and body.constraint.name == "grammar"


@pytest.mark.parametrize("length", [-1, -2])
def test_there_are_two_spellings_of_no_limit(length: int) -> None:
    assert parse(options={"num_predict": length}).n_predict == -1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": "hot"}, 'options.temperature: expected a number, got "hot"'),
        ({"num_predict": -3}, "options.num_predict: expected -2 or more, got -3"),
        ({"stop": 5}, "options.stop: expected a string or a list of strings, got 5"),
        ("fast", 'options: expected an object, got "fast"'),
    ],
)
def test_error_names_the_option(server: str, options: object, message: str) -> None:
    assert refusal(server, "/api/chat", options=options) == message


def test_members_of_the_body_are_no_options() -> None:
    body = parse(options={"messages": [], "stream": False, "model": "other"})
    assert (len(body.messages), body.stream, body.model) == (1, True, None)
    assert len(body.unknown_options()) == 3


def test_unknown_option_is_told_in_a_header(server: str) -> None:
    body = {"messages": [TURN], "stream": False, "options": {"num_predict": 1, "frobnicate": 1}}
    response = post(server, body, "/api/chat")
    assert response.ok
    assert response.headers["Warning"] == '299 - "options.frobnicate: there is no such option, so it has no effect"'


def test_control_characters_of_an_unknown_option_are_escaped_in_the_header(server: str) -> None:
    response = post(
        server, {"messages": [TURN], "stream": False, "options": {"num_predict": 1, "a\r\nb\0": 1}}, "/api/chat"
    )
    assert response.ok
    assert response.headers["Warning"].startswith(r'299 - "options.a\r\nb\x00: there is no such option')


@pytest.mark.parametrize("keep_alive", [5, 0.5, -1, "5m", "1h30m", "-1s", "0", "1.5h", "300ms"])
def test_keep_alive_is_seconds_or_a_duration(keep_alive: object) -> None:
    assert parse(keep_alive=keep_alive).keep_alive == keep_alive


@pytest.mark.parametrize("keep_alive", ["forever", "5", "", True, ["5m"], "5m "])
def test_other_values_of_keep_alive_are_refused(keep_alive: object) -> None:
    with pytest.raises(InvalidRequest, match=r"^keep_alive: expected a number of seconds, or a duration"):
        parse(keep_alive=keep_alive)


@pytest.mark.parametrize(
    ("keep_alive", "unloads"),
    [(0, True), (0.0, True), ("0", True), ("0s", True), ("0h0.0m", True), (None, False), (-1, False), ("10m", False)],
)
def test_zero_unloads(keep_alive: object, unloads: bool) -> None:
    assert parse(keep_alive=keep_alive).unloads is unloads


@pytest.mark.parametrize("think", ["hot", 1, [], "true"])
def test_think_has_its_values(think: object) -> None:
    with pytest.raises(InvalidRequest, match=r"^think: expected true, false, low, medium, high, max"):
        parse(think=think)


def test_a_format_and_another_constraint_exclude_each_other(server: str) -> None:
    message = refusal(server, "/api/chat", format="json", options={"grammar": 'root ::= "a"'})
    assert message.startswith("format and grammar: expected one of them")


def test_top_logprobs_are_20_at_most(server: str) -> None:
    assert refusal(server, "/api/chat", top_logprobs=21).startswith("top_logprobs: expected an integer from 0 to 20")
