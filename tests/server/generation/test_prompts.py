from typing import Any

import pytest

from tests.server.http_client import STORY, complete, get, joined_text, post, refusal, stream, tokenize


def test_string_and_its_tokens_are_the_same_prompt(server: str) -> None:
    with_bos = post(server, {"content": STORY, "add_special": True}, "/tokenize").json()["tokens"]
    assert complete(server, prompt=with_bos)["content"] == complete(server, prompt=STORY)["content"]


def test_bos_comes_only_in_front_of_text(server: str) -> None:
    with_bos = post(server, {"content": STORY, "add_special": True}, "/tokenize").json()["tokens"]
    tokens = tokenize(server, STORY)
    assert complete(server, prompt=tokens)["tokens_evaluated"] == len(tokens)
    assert complete(server, prompt=[STORY, tokens[0]])["tokens_evaluated"] == len(with_bos) + 1
    assert complete(server, prompt=[tokens[0], STORY])["tokens_evaluated"] == len(tokens) + 1


def test_special_tokens_are_read_in_a_prompt(server: str) -> None:
    plain = complete(server, prompt="user")["tokens_evaluated"]
    assert complete(server, prompt="<|im_start|>user")["tokens_evaluated"] == plain + 1


def test_several_strings_are_several_prompts(server: str) -> None:
    results = complete(server, prompt=["A dog", "A cat", "A bird"])
    assert [result["index"] for result in results] == [0, 1, 2]
    assert [result["prompt"] for result in results] == ["A dog", "A cat", "A bird"]


def test_several_prompts_may_have_different_shapes(server: str) -> None:
    tokens = tokenize(server, STORY)
    prompts = [STORY, tokens, [*tokens, " there"]]
    assert [result["prompt"] for result in complete(server, prompt=prompts)] == [STORY, STORY, f"{STORY} there"]


def test_a_prompt_may_be_an_object_with_its_text(server: str) -> None:
    assert complete(server, prompt={"prompt_string": STORY})["content"] == complete(server)["content"]
    assert complete(server, prompt={"prompt_string": STORY})["prompt"] == STORY
    tokens = post(server, {"content": STORY, "add_special": True}, "/tokenize").json()["tokens"]
    first, second = complete(server, prompt=[tokens, {"prompt_string": STORY}])
    assert first["content"] == second["content"]


def test_media_beside_a_prompt_are_refused_by_name(server: str) -> None:
    response = post(server, {"prompt": {"prompt_string": STORY, "multimodal_data": ["aGk="]}})
    assert (response.status_code, response.json()["error"]["type"]) == (501, "not_supported_error")
    assert response.json()["error"]["message"].startswith("prompt.multimodal_data: ")


def test_list_of_one_prompt_gets_an_object(server: str) -> None:
    assert complete(server, prompt=[STORY])["prompt"] == STORY


def test_several_prompts_get_the_text_of_each(server: str) -> None:
    alone = [complete(server, prompt=prompt)["content"] for prompt in ("A dog", "A cat")]
    assert [result["content"] for result in complete(server, prompt=["A dog", "A cat"])] == alone


def test_streamed_chunks_say_which_prompt_they_belong_to(server: str) -> None:
    all_events = stream(server, prompt=["A dog", "A cat"])
    for index, prompt in enumerate(("A dog", "A cat")):
        own = [event for event in all_events if event["index"] == index]
        assert joined_text(own) == complete(server, prompt=prompt)["content"]
        assert [event["stop"] for event in own] == [False] * (len(own) - 1) + [True]


def test_more_prompts_than_slots_all_get_an_answer(server: str) -> None:
    assert len(complete(server, prompt=[f"Story {number}:" for number in range(9)], n_predict=2)) == 9


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        (None, "prompt: expected a string, a list of token ids"),
        (7, "prompt: expected a string, a list of token ids"),
        ({"text": "a"}, "prompt: expected a string, a list of token ids"),
        ([], "prompt: expected at least one token, got none"),
        ([[]], "prompt[0]: expected at least one token, got none"),
        (["a", None], "prompt[1]: expected a string, a list of token ids"),
        (["a", {"prompt_string": 5}], "prompt[1].prompt_string: expected a string, got 5"),
        ([1, [2]], "prompt[1]: expected a string or the id of a token, got [2]"),
        ([1, True], "prompt[1]: expected a string or the id of a token, got true"),
        ([1.5], "prompt[0]: expected an integer, got 1.5"),
        ([-1], "prompt[0]: expected the id of a token, from 0 to"),
        ([1, 2**31], "prompt[1]: expected the id of a token, from 0 to"),
        ([["a", ["b"]]], 'prompt[0][1]: expected a string or the id of a token, got ["b"]'),
        (["a"] * 1000, "prompt: expected at most 128 prompts, since each takes a place in the queue, got 1000"),
    ],
)
def test_wrong_prompt_is_refused(server: str, prompt: Any, message: str) -> None:
    assert refusal(server, prompt=prompt).startswith(message)


@pytest.mark.parametrize("as_tokens", [False, True])
def test_prompt_longer_than_the_context_is_refused_with_both_numbers(server: str, *, as_tokens: bool) -> None:
    n_ctx = get(f"{server}/props").json()["default_generation_settings"]["n_ctx"]
    tokens = tokenize(server, "a story " * n_ctx)
    response = post(server, {"prompt": tokens if as_tokens else "a story " * n_ctx})
    error = response.json()["error"]
    assert (error["code"], error["n_ctx"]) == (400, n_ctx)
    assert error["n_prompt_tokens"] >= len(tokens)
    assert error["type"] == "exceed_context_size_error"
    n_prompt = error["n_prompt_tokens"]
    assert f"request ({n_prompt} tokens) exceeds the available context size ({n_ctx} tokens)" in error["message"]
