"""Completions with OpenAI's client."""

from typing import Any

import openai
import pytest

from tests.clients.openai_clients import MODEL, STORY, checked_usage, complete, openai_client
from tests.server.http_client import post


@pytest.mark.parametrize("base", ["/v1", "", "/"])
def test_a_completion_comes_with_and_without_the_prefix(server: str, base: str) -> None:
    completion = openai_client(server, base).completions.create(model=MODEL, prompt=STORY, max_tokens=8, temperature=0)
    assert completion.object == "text_completion"
    assert completion.id.startswith("cmpl-")
    assert completion.choices[0].text == complete(server).choices[0].text != ""
    assert completion.choices[0].finish_reason == "length"


def test_path_without_the_prefix_is_llamas_for_a_body_without_a_model(server: str) -> None:
    answer = post(server, {"prompt": STORY, "n_predict": 2}, "/completions").json()
    assert answer["tokens_predicted"] == 2


def test_it_echoes_the_real_name_of_the_model(server: str) -> None:
    assert complete(server, model="gpt-4o").model == "bundled"


def test_without_a_limit_there_are_sixteen_tokens(server: str) -> None:
    assert checked_usage(complete(server, max_tokens=None)) == (4, 16)


def test_text_is_the_same_as_the_native_endpoint_has_it(server: str) -> None:
    native = post(server, {"prompt": STORY, "n_predict": 8, "temperature": 0, "repeat_penalty": 1.0}).json()
    assert complete(server).choices[0].text == native["content"]


def test_options_of_llama_pass_through(server: str) -> None:
    options = {"grammar": 'root ::= " yes" | " no"', "slot_id": 2, "cache_prompt": False, "mirostat": 2}
    completion = complete(server, extra_body=options)
    assert completion.choices[0].text in (" yes", " no")
    assert completion.choices[0].finish_reason == "stop"


def test_several_prompts_get_their_choices_in_order(server: str) -> None:
    completion = complete(server, prompt=[STORY, "The dog"], n=2, echo=True)
    assert [choice.index for choice in completion.choices] == [0, 1, 2, 3]
    beginnings = [STORY, STORY, "The dog", "The dog"]
    for choice, beginning in zip(completion.choices, beginnings, strict=True):
        assert choice.text.startswith(beginning)
    assert checked_usage(completion) == (6, 32)


def test_prompt_of_tokens_is_echoed_as_text(server: str) -> None:
    tokens = post(server, {"content": STORY}, "/tokenize").json()["tokens"]
    completion = complete(server, prompt=[tokens], echo=True)
    assert completion.choices[0].text.startswith(STORY)


def test_choices_share_the_prefill_of_their_prompt(server: str) -> None:
    prompt = "A prompt that no other test has, about a blue whale and its seven friends, who all liked to sing."
    completion = complete(server, prompt=prompt, n=4, temperature=1, seed=1)
    assert len({choice.text for choice in completion.choices}) > 1
    again = complete(server, prompt=prompt, n=4, temperature=1, seed=1)
    assert [choice.text for choice in again.choices] == [choice.text for choice in completion.choices]
    assert again.usage
    assert again.usage.prompt_tokens_details
    assert again.usage.prompt_tokens_details.cached_tokens == again.usage.prompt_tokens - 1


def test_best_of_returns_the_most_likely_choices(server: str) -> None:
    options = {"temperature": 1.5, "seed": 5, "logprobs": 0, "max_tokens": 6}
    every = complete(server, n=6, **options)
    best = complete(server, n=2, best_of=6, **options)

    def mean(choice: openai.types.CompletionChoice) -> float:
        assert choice.logprobs
        assert choice.logprobs.token_logprobs
        logprobs = [logprob or 0.0 for logprob in choice.logprobs.token_logprobs]
        return sum(logprobs) / len(logprobs)

    expected = sorted(every.choices, key=mean, reverse=True)[:2]
    assert [choice.text for choice in best.choices] == [choice.text for choice in expected]
    assert [choice.index for choice in best.choices] == [0, 1]
    assert checked_usage(best) == (4, 36)


def test_best_of_below_n_is_refused(server: str) -> None:
    with pytest.raises(openai.BadRequestError, match="best_of: expected no less than n, 3, got 2"):
        complete(server, n=3, best_of=2)


def test_logprobs_of_each_token_say_where_it_is_in_the_text(server: str) -> None:
    choice = complete(server, logprobs=3).choices[0]
    logprobs = choice.logprobs
    assert logprobs
    assert logprobs.tokens
    assert logprobs.text_offset
    assert "".join(logprobs.tokens) == choice.text
    for token, offset in zip(logprobs.tokens, logprobs.text_offset, strict=True):
        assert choice.text[offset:].startswith(token)
    assert logprobs.top_logprobs
    assert logprobs.token_logprobs
    for top, token, logprob in zip(logprobs.top_logprobs, logprobs.tokens, logprobs.token_logprobs, strict=True):
        assert len(top) == 3
        assert top[token] == logprob == max(top.values())  # of temperature 0


@pytest.mark.parametrize("streamed", [False, True])
def test_offsets_count_characters_where_one_is_several_tokens(server: str, streamed: bool) -> None:
    text = "a🦙b é c"
    options: dict[str, Any] = {"logprobs": 1, "max_tokens": 60}
    options["extra_body"] = {"grammar": 'root ::= "a\\U0001F999b \\u00e9 c"'}
    if streamed:
        chunks = openai_client(server).completions.create(model=MODEL, prompt=STORY, stream=True, **options)
        pieces = [chunk.choices[0] for chunk in chunks]
        assert "".join(piece.text for piece in pieces) == text
        reported = [piece.logprobs for piece in pieces if piece.logprobs]
    else:
        choice = complete(server, **options).choices[0]
        assert choice.text == text
        reported = [choice.logprobs]
    found = [pair for part in reported for pair in zip(part.tokens, part.text_offset, strict=True)]
    assert all(0 <= offset <= len(text) for _, offset in found)
    assert all(text[offset:].startswith(token) for token, offset in found if "\ufffd" not in token)


def test_stream_is_the_whole_in_pieces(server: str) -> None:
    options: dict[str, Any] = {"prompt": [STORY, "The dog"], "n": 2, "temperature": 1, "seed": 3, "echo": True}
    whole = complete(server, **options)
    texts = ["", "", "", ""]
    reasons: list[str | None] = [None] * 4
    for chunk in openai_client(server).completions.create(model=MODEL, max_tokens=8, stream=True, **options):
        assert chunk.usage is None
        choice = chunk.choices[0]
        texts[choice.index] += choice.text
        reasons[choice.index] = choice.finish_reason or reasons[choice.index]
    assert texts == [choice.text for choice in whole.choices]
    assert reasons == ["length"] * 4


def test_logprobs_of_a_stream_go_on_where_they_were(server: str) -> None:
    whole = complete(server, logprobs=1).choices[0].logprobs
    assert whole
    chunks = openai_client(server).completions.create(
        model=MODEL, prompt=STORY, max_tokens=8, temperature=0, logprobs=1, stream=True
    )
    pieces = [chunk.choices[0].logprobs for chunk in chunks if chunk.choices[0].logprobs]
    assert [offset for piece in pieces for offset in piece.text_offset or ()] == whole.text_offset
    assert [token for piece in pieces for token in piece.tokens or ()] == whole.tokens


def test_stream_ends_with_the_usage_that_was_asked_for(server: str) -> None:
    *_, last = openai_client(server).completions.create(
        model=MODEL, prompt=STORY, max_tokens=5, stream=True, stream_options={"include_usage": True}
    )
    assert last.choices == []
    assert checked_usage(last) == (4, 5)


def test_raw_stream_ends_with_done(server: str) -> None:
    body = {"model": MODEL, "prompt": STORY, "max_tokens": 2, "stream": True}
    assert post(server, body, "/v1/completions").content.endswith(b"\n\ndata: [DONE]\n\n")


def test_stop_string_ends_a_choice(server: str) -> None:
    choice = complete(server, max_tokens=40, stop=[" girl"]).choices[0]
    assert choice.finish_reason == "stop"
    assert " girl" not in choice.text


def test_suffix_asks_for_the_text_between(server: str) -> None:
    infill = {"input_prefix": STORY, "input_suffix": " to the park.", "stream": False, "repeat_penalty": 1.0}
    native = post(server, {**infill, "n_predict": 8, "temperature": 0}, "/infill").json()
    choice = complete(server, suffix=" to the park.", echo=True).choices[0]
    assert choice.text == STORY + native["content"]
    assert choice.text != complete(server, echo=True).choices[0].text


def test_suffix_stands_behind_each_of_several_prompts(server: str) -> None:
    prompts = [STORY, "The dog ran"]
    alone = [complete(server, prompt=prompt, suffix=" to the park.").choices[0].text for prompt in prompts]
    together = complete(server, prompt=prompts, suffix=" to the park.").choices
    assert [choice.text for choice in together] == alone


def test_error_names_the_limit_by_the_name_that_it_was_given(server: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        complete(server, max_tokens=-2)
    assert (caught.value.param, caught.value.code) == ("max_tokens", None)


def test_native_endpoint_gives_several_answers_too(server: str) -> None:
    answers = post(server, {"prompt": STORY, "n_predict": 4, "n": 3, "seed": 7}).json()
    assert [answer["index"] for answer in answers] == [0, 1, 2]
    assert [answer["generation_settings"]["seed"] for answer in answers] == [7, 8, 9]
