"""POST /api/generate."""

import pytest

from tests.server.api.ollama.ollama_client import ASK, GREEDY, TURN, generate, lines, prompt_of, refusal
from tests.server.http_client import Json, complete, post, tokenize

PREFIX = "def total(prices):\n    "
SUFFIX = "\n    return result\n"


def native(server: str, prompt: str) -> str:
    """What /completion makes of a text, with Ollama's defaults."""
    options: Json = {"n_predict": 8, "repeat_penalty": 1, "top_p": 0.9, "min_p": 0}
    return str(complete(server, prompt=prompt, **options)["content"])


def test_prompt_is_what_the_user_says(server: str) -> None:
    assert generate(server)["response"] == native(server, prompt_of(server, [TURN]))


def test_system_prompt_precedes_it(server: str) -> None:
    answer = generate(server, system="You tell stories.")
    prompt = prompt_of(server, [{"role": "system", "content": "You tell stories."}, TURN])
    assert answer["prompt_eval_count"] == len(tokenize(server, prompt))
    assert answer["response"] == native(server, prompt)


def test_answer_says_how_long_it_took_in_nanoseconds(server: str) -> None:
    answer = generate(server, model="llama3.2", options={"num_predict": 5})
    assert (answer["model"], answer["done"], answer["done_reason"]) == ("llama3.2", True, "length")
    assert (answer["prompt_eval_count"], answer["eval_count"]) == (len(tokenize(server, prompt_of(server, [TURN]))), 5)
    assert answer["load_duration"] == 0
    durations = [answer[name] for name in ("prompt_eval_duration", "eval_duration", "total_duration")]
    assert all(isinstance(duration, int) and 1000 < duration < 60_000_000_000 for duration in durations)
    assert durations[0] + durations[1] <= durations[2]


def test_answer_that_the_model_ends_has_the_reason_stop(server: str) -> None:
    assert generate(server, options={"num_predict": 64})["done_reason"] == "stop"


def test_it_is_a_stream_unless_that_is_turned_off(server: str) -> None:
    *chunks, last = lines(server, "/api/generate")
    whole = generate(server)
    assert all(chunk.keys() == {"model", "created_at", "response", "done"} for chunk in chunks)
    assert [chunk["done"] for chunk in chunks] == [False] * len(chunks)
    assert "".join(chunk["response"] for chunk in chunks) == whole["response"]
    assert (last["response"], last["done"], last["done_reason"]) == ("", True, "length")
    assert last.keys() == whole.keys()
    assert last["context"] == whole["context"]


def test_raw_prompt_is_continued_as_it_is(server: str) -> None:
    answer = generate(server, prompt="Once upon a time", raw=True)
    assert answer["response"] == native(server, "Once upon a time")
    assert "context" not in answer


@pytest.mark.parametrize("field", [{"template": "{{ .Prompt }}"}, {"system": "a"}, {"context": [1]}])
def test_raw_prompt_has_nothing_beside_it(server: str, field: Json) -> None:
    [name] = field
    assert refusal(server, "/api/generate", raw=True, **field).startswith(f"{name}: expected nothing beside raw")


def test_gap_before_a_suffix_is_filled(server: str) -> None:
    infill = {"input_prefix": PREFIX, "input_suffix": SUFFIX, "n_predict": 8, "temperature": 0, "stream": False}
    options = {"repeat_penalty": 1, "top_p": 0.9, "min_p": 0}
    expected = post(server, infill | options, "/infill").json()["content"]
    assert generate(server, prompt=PREFIX, suffix=SUFFIX)["response"] == expected


def test_context_goes_on(server: str) -> None:
    first = generate(server, options={"num_predict": 64})
    second = generate(server, prompt="And of Italy?", context=first["context"])
    asked = prompt_of(server, [{"role": "user", "content": "And of Italy?"}])
    assert second["prompt_eval_count"] == len(first["context"]) + len(tokenize(server, asked))
    assert second["context"][: len(first["context"])] == first["context"]
    text = post(server, {"tokens": first["context"]}, "/detokenize").json()["content"]
    assert text == prompt_of(server, [TURN]) + first["response"] + "<|im_end|>"


def test_context_is_made_of_tokens(server: str) -> None:
    assert refusal(server, "/api/generate", context=[1, "a"]).startswith("context[1]: expected")
    assert refusal(server, "/api/generate", context=[1] * 3000).startswith("context: request (3000 tokens) exceeds")


def test_template_replaces_that_of_the_model(server: str) -> None:
    template = "{{ if .System }}{{ .System }}\n{{ end }}Q: {{ .Prompt }}\nA:{{ .Response }}\n"
    answer = generate(server, system="Be short.", template=template)
    assert answer["response"] == native(server, f"Be short.\nQ: {ASK}\nA:")


def test_template_that_is_not_understood_is_refused(server: str) -> None:
    message = refusal(server, "/api/generate", template="{{ frobnicate .Prompt }}")
    assert message.startswith("template: expected a template in Ollama's language")
    assert "frobnicate" in message


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "load"),
        ({"keep_alive": "10m"}, "load"),
        ({"keep_alive": -1}, "load"),
        ({"keep_alive": 0}, "unload"),
        ({"keep_alive": "0m0s"}, "unload"),
    ],
)
def test_request_without_a_prompt_loads_or_unloads(server: str, fields: Json, reason: str) -> None:
    answer = post(server, {"model": "any", **fields}, "/api/generate").json()
    del answer["created_at"]
    assert answer == {"model": "any", "response": "", "done": True, "done_reason": reason}


def test_log_probabilities_are_returned_with_each_token(server: str) -> None:
    whole = generate(server, logprobs=True, top_logprobs=2)
    assert "".join(entry["token"] for entry in whole["logprobs"]) == whole["response"]
    for entry in whole["logprobs"]:
        assert entry.keys() == {"token", "logprob", "bytes", "top_logprobs"}
        assert entry["logprob"] == entry["top_logprobs"][0]["logprob"]  # the most likely token is taken
        assert len(entry["top_logprobs"]) == 2
    chunks = lines(server, "/api/generate", logprobs=True, top_logprobs=2)
    assert [entry for chunk in chunks for entry in chunk.get("logprobs", [])] == whole["logprobs"]


def test_only_the_own_log_probability_is_returned_by_default(server: str) -> None:
    assert all(entry.keys() == {"token", "logprob", "bytes"} for entry in generate(server, logprobs=True)["logprobs"])
    assert "logprobs" not in generate(server, top_logprobs=3)


def test_images_stand_beside_no_raw_prompt(server: str) -> None:
    message = "images: expected nothing beside raw, which takes the prompt as it is"
    assert refusal(server, "/api/generate", images=["aGk="], raw=True) == message


def test_progress_of_the_prompt_is_told(server: str) -> None:
    chunks = lines(server, "/api/generate", return_progress=True, prompt="a " * 200, options=GREEDY)
    progress = [chunk for chunk in chunks if "prompt_progress" in chunk]
    assert all((chunk["response"], chunk["done"]) == ("", False) for chunk in progress)
    last = progress[-1]["prompt_progress"]
    assert last["processed"] == last["total"] == chunks[-1]["prompt_eval_count"]
