"""A server with a system prompt, which requests replace."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from server.chat.system_prompt import SystemPrompt, make_system_prompt
from server.generation.prompts import read_prompts
from server.settings import Settings
from slots.engine import Engine
from slots.errors import InvalidRequest
from tests.conftest import running_server
from tests.server.http_client import (
    DETERMINISTIC,
    SECONDS,
    STORY,
    Json,
    complete,
    events,
    get,
    get_error,
    joined_text,
    post,
    refusal,
    stream,
)
from tests.server.http_client import tokenize as tokens_of
from tests.server.program import run_failing

FIRST = "You are the old miller, and you tell a story to the children of the village. "
POET = "You are a poet."
LONG = "You are a narrator who knows each animal of the wood by its name and by its voice. " * 6
NAMED = {"prompt": POET, "anti_prompt": "User:", "assistant_name": "Poet:"}


@pytest.fixture(scope="module")
def first_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("system")
    (folder / "system.txt").write_text(FIRST)
    with running_server(folder, "--system-prompt-file", str(folder / "system.txt")) as url:
        yield url


@pytest.fixture
def url(first_server: str) -> str:
    """The URL of the server, with the system prompt that it started with."""
    post_system_prompt(first_server, FIRST)
    return first_server


def post_system_prompt(url: str, system_prompt: object, **options: Any) -> Any:
    return complete(url, prompt="", n_predict=0, system_prompt=system_prompt, **options)


def n_evaluated(url: str, prompt: object = STORY) -> int:
    return int(complete(url, prompt=prompt, n_predict=0)["tokens_evaluated"])


def names(url: str) -> tuple[str, str, str]:
    props = get(f"{url}/props").json()
    return props["assistant_name"], props["anti_prompt"], props["user_name"]


def test_server_starts_with_the_text_of_the_file(first_server: str) -> None:
    assert n_evaluated(first_server) == len(tokens_of(first_server, FIRST)) + len(tokens_of(first_server, STORY))


def test_text_goes_on_from_both(url: str, server: str) -> None:
    both = tokens_of(server, FIRST) + tokens_of(server, STORY)
    assert complete(url)["content"] == complete(server, prompt=both)["content"]


@pytest.mark.parametrize("brought", [POET, {"prompt": POET}, NAMED])
def test_request_brings_another_for_itself_and_for_those_after_it(url: str, brought: object) -> None:
    n_tokens = len(tokens_of(url, POET)) + len(tokens_of(url, STORY))
    assert complete(url, system_prompt=brought)["tokens_evaluated"] == n_tokens
    assert n_evaluated(url) == n_tokens


def test_stream_brings_another_too(url: str) -> None:
    *chunks, last = stream(url, system_prompt=POET)
    n_tokens = len(tokens_of(url, POET)) + len(tokens_of(url, STORY))
    assert {event["tokens_evaluated"] for event in (*chunks, last)} == {n_tokens}
    assert n_evaluated(url) == n_tokens


def test_each_of_several_prompts_follows_it(url: str) -> None:
    alone = complete(url, prompt=STORY)["content"]
    prompts = [STORY, tokens_of(url, STORY)]
    assert [result["content"] for result in complete(url, prompt=prompts)] == [alone, alone]


def test_prompt_comes_back_without_it(url: str) -> None:
    assert complete(url)["prompt"] == STORY


def test_it_may_stand_alone(url: str) -> None:
    assert post_system_prompt(url, POET)["tokens_evaluated"] == len(tokens_of(url, POET))


@pytest.mark.parametrize("nothing", ["", {"prompt": ""}])
def test_an_empty_one_takes_it_away(url: str, nothing: object) -> None:
    post_system_prompt(url, NAMED)
    assert complete(url, system_prompt=nothing)["tokens_evaluated"] == len(tokens_of(url, STORY))
    assert n_evaluated(url) == len(tokens_of(url, STORY))
    assert names(url) == ("", "", "")


def test_names_beside_an_empty_one_are_kept(url: str) -> None:
    complete(url, system_prompt=NAMED | {"prompt": ""})
    assert n_evaluated(url) == len(tokens_of(url, STORY))
    assert names(url) == ("Poet:", "User:", "User:")


def test_null_changes_nothing(url: str) -> None:
    n_before = n_evaluated(url)
    assert complete(url, system_prompt=None)["tokens_evaluated"] == n_before


def test_props_tell_how_to_write_what_follows_it_but_not_its_text(url: str) -> None:
    post_system_prompt(url, NAMED)
    assert names(url) == ("Poet:", "User:", "User:")
    assert POET not in get(f"{url}/props").text
    post_system_prompt(url, {"prompt": POET, "anti_prompt": None})
    assert names(url) == ("", "", "")


def test_it_is_computed_once_for_all_whatever_they_share(url: str) -> None:
    post_system_prompt(url, LONG)
    options = {"prompt": "A dog", "cache_prompt": True, "cache_salt": "one", "n_predict": 1}
    assert complete(url, **options)["tokens_cached"] >= len(tokens_of(url, LONG)) - 1


def n_cached_tokens(url: str, said: str, **options: Any) -> int:
    body = {"messages": [{"role": "user", "content": said}], "max_tokens": 1} | options
    response = post(url, body, "/v1/chat/completions")
    assert response.status_code == 200, response.text
    return int(response.json()["usage"]["prompt_tokens_details"]["cached_tokens"])


def test_chats_share_it_whatever_their_salts_and_nothing_else(url: str) -> None:
    post_system_prompt(url, LONG)
    n_shared = len(tokens_of(url, f"<|im_start|>system\n{LONG}<|im_end|>\n<|im_start|>user\n"))
    secret = "The old miller hid all of his gold in the well behind the mill."
    n_cached_tokens(url, secret, cache_salt="one")
    assert n_cached_tokens(url, secret, cache_salt="two") == n_shared
    assert n_cached_tokens(url, secret) == n_shared
    assert n_cached_tokens(url, f"{secret} Nobody knows.", cache_salt="one") > n_shared


def test_a_chat_shares_no_system_message_of_its_own(url: str) -> None:
    messages = [{"role": "system", "content": LONG}, {"role": "user", "content": "Hello"}]
    n_cached_tokens(url, "", messages=messages, cache_salt="mine")
    assert n_cached_tokens(url, "", messages=messages, cache_salt="yours") == 0


def test_running_request_finishes_as_it_began(url: str) -> None:
    body = DETERMINISTIC | {"n_predict": 400, "ignore_eos": True, "stream": True}
    alone = joined_text(list(events(post(url, body).content)))
    with requests.post(f"{url}/completion", json=body, stream=True, timeout=SECONDS) as response:
        parts = response.iter_content(None)
        first = next(parts)
        post_system_prompt(url, POET)
        told = list(events(b"".join((first, *parts))))
    assert joined_text(told) == alone
    assert told[-1]["tokens_evaluated"] != n_evaluated(url)


MALFORMED: list[tuple[object, str]] = [
    (5, "system_prompt: expected a string or an object with prompt, anti_prompt and assistant_name, got 5"),
    (False, "system_prompt: expected a string or an object with "),
    ([], "system_prompt: expected a string or an object with "),
    ({}, "system_prompt.prompt: expected a string, got nothing"),
    ({"prompt": None}, "system_prompt.prompt: expected a string, got nothing"),
    ({"prompt": ["a"]}, 'system_prompt.prompt: expected a string, got ["a"]'),
    ({"anti_prompt": "User:"}, "system_prompt.prompt: expected a string, got nothing"),
    ({"prompt": "a", "anti_prompt": 5}, "system_prompt.anti_prompt: expected a string, got 5"),
    ({"prompt": "a", "assistant_name": {}}, "system_prompt.assistant_name: expected a string, got {}"),
    ({"prompt": "a", "anti_prompt": "b" * 257}, "system_prompt.anti_prompt: expected at most 256 characters, got 257"),
    ({"prompt": "a", "name": "b"}, "system_prompt: expected a string or an object with prompt, anti_prompt and "),
    ("word " * 5000, "system_prompt: expected fewer tokens than the context of a slot has, 2048, got "),
    ({"prompt": "word " * 5000}, "system_prompt.prompt: expected fewer tokens than the context of a slot has, 2048"),
    ("a" * 1_000_001, "system_prompt: expected white space"),
]


@pytest.mark.parametrize(("brought", "message"), MALFORMED)
def test_anything_else_is_refused_by_name_and_changes_nothing(url: str, brought: object, message: str) -> None:
    n_before = n_evaluated(url)
    assert refusal(url, system_prompt=brought).startswith(message)
    assert n_evaluated(url) == n_before


def test_unknown_member_is_named(url: str) -> None:
    assert refusal(url, system_prompt={"prompt": "a", "user_name": "b"}).endswith('got a member "user_name"')


@pytest.mark.parametrize(
    "wrong", [{"prompt": None}, {"slot_id": 99}, {"temperature": "hot"}, {"n_keep": -2}, {"prompt": "word " * 5000}]
)
@pytest.mark.parametrize("is_streamed", [False, True])
def test_request_that_is_refused_changes_nothing(url: str, wrong: Json, *, is_streamed: bool) -> None:
    n_before = n_evaluated(url)
    response = post(url, {"prompt": STORY, "n_predict": 1, "system_prompt": POET, "stream": is_streamed} | wrong)
    assert get_error(response)["code"] == 400
    assert n_evaluated(url) == n_before


def test_prompt_has_less_room_behind_it(url: str) -> None:
    tokens = [1] * 2048
    error = get_error(post(url, {"prompt": tokens}))
    n_system = len(tokens_of(url, FIRST))
    assert (error["code"], error["n_prompt_tokens"], error["n_ctx"]) == (400, 2048 + n_system, 2048)


LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
ANYTHING = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner))
OBJECTS = st.dictionaries(st.sampled_from(["prompt", "anti_prompt", "assistant_name", "x"]), LEAVES)


@given(brought=ANYTHING | OBJECTS)
@settings(deadline=None, max_examples=100)
def test_any_value_is_taken_or_refused(first_server: str, brought: object) -> None:
    response = post(first_server, {"prompt": STORY, "n_predict": 0, "system_prompt": brought})
    assert response.status_code in (200, 400), response.text


class VocabWithBos:
    """A vocabulary in which each character is a token, and a text begins with the token 1 and ends with 2."""

    add_bos, bos, n_tokens = True, 1, 1000

    def tokenize(self, text: str, *, add_special: bool, parse_special: bool) -> list[int]:
        tokens = list(text.encode())
        return [1, *tokens, 2] if add_special else tokens


class SmallEngine:
    vocab, n_ctx_slot, context_shift, max_unfinished = VocabWithBos(), 10, False, 4


ENGINE = cast(Engine, SmallEngine())


def test_it_begins_as_the_model_wants_a_text_to_begin_and_does_not_end() -> None:
    assert make_system_prompt("name", "ab", ENGINE) == SystemPrompt("ab", (1, 97, 98))


@pytest.mark.parametrize(("prompt", "tokens"), [("c", (99,)), (["c", 5], (99, 5)), ([5, "c"], (5, 99)), ("", ())])
def test_prompt_behind_it_has_no_beginning_of_its_own(prompt: object, tokens: tuple[int, ...]) -> None:
    [read] = read_prompts(prompt, ENGINE, (1, 97), Settings(Path("a.gguf"), "a"))
    assert (read.tokens, read.n_system) == ((1, 97, *tokens), 2)


def test_it_leaves_room_for_a_token_at_least() -> None:
    assert len(make_system_prompt("name", "a" * 8, ENGINE).tokens) == 9
    with pytest.raises(InvalidRequest, match=r"^name: expected fewer tokens than .* 10, got 10$"):
        make_system_prompt("name", "a" * 9, ENGINE)


def test_a_file_that_leaves_no_room_is_one_line(tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("long") / "system.txt"
    file.write_text("word " * 5000)
    expected = (
        "llama-slots: error: argument -spf/--system-prompt-file: expected fewer tokens than the context of a slot "
    )
    assert run_failing("-spf", str(file)).startswith(expected)
