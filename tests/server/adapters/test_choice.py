"""Which adapters a request is computed with: what it says in each dialect, and what applies if it says nothing."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests

from benchmarks.adapters.lora_file import Lora
from tests.conftest import running_server
from tests.server.adapters.conftest import NAMES
from tests.server.http_client import (
    SECONDS,
    Json,
    begun_stream,
    complete,
    get,
    get_error,
    joined_text,
    n_busy,
    open_stream,
    post,
    refusal,
    stream,
)

STORY = "Once upon a time there was"


def scales(**by_name: float) -> list[Json]:
    return [{"id": NAMES.index(name), "scale": scale} for name, scale in by_name.items()]


def text(url: str, **options: Any) -> str:
    return str(complete(url, prompt=STORY, n_predict=16, **options)["content"])


@pytest.fixture
def global_scales(lora_server: str) -> Iterator[None]:
    """Sets the scales back that apply to requests that do not say."""
    yield
    assert post(lora_server, [], "/lora-adapters").json() == {"success": True}


def test_the_log_names_the_adapters_of_a_request(lora_server: str, lora_log: Path) -> None:
    choices: list[dict[str, Any]] = [{"model": "green"}, {"lora": scales(red=1.0, blue=0.5)}, {}]
    for number, options in enumerate(choices):
        body, headers = {"prompt": STORY, "n_predict": 1, **options}, {"X-Request-Id": f"logged-{number}"}
        requests.post(f"{lora_server}/completion", json=body, headers=headers, timeout=SECONDS)
    for number, name in enumerate(("bundled:green", "bundled:red+blue", "bundled")):
        lines = [line for line in lora_log.read_text().splitlines() if f"[logged-{number}]" in line]
        assert f" ms: {name}, slot " in lines[-1]


def test_each_adapter_gives_a_text_of_its_own_and_none_that_of_the_model(lora_server: str, server: str) -> None:
    texts = [text(lora_server, lora=scales(**{name: 1.0})) for name in NAMES]
    assert len({*texts, text(lora_server)}) == 5
    assert text(lora_server) == text(server)


def test_8_clients_on_4_adapters_get_the_texts_that_each_adapter_gives_alone(lora_server: str) -> None:
    chosen = [scales(**{name: 1.0}) for name in NAMES] * 2
    alone = [text(lora_server, lora=lora) for lora in chosen[:4]]
    with ThreadPoolExecutor(8) as clients:
        together = list(clients.map(lambda lora: text(lora_server, lora=lora), chosen))
    assert together == alone * 2


def test_requests_with_different_scales_of_an_adapter_run_at_once(lora_server: str) -> None:
    """As llama.cpp's own test asks for them."""
    chosen = [scales(red=scale) for scale in (0.0, 0.0, 0.3, 0.7, 1.0, 1.0)]
    with ThreadPoolExecutor(6) as clients:
        texts = list(clients.map(lambda lora: text(lora_server, lora=lora, seed=42), chosen))
    assert texts == [text(lora_server, lora=lora) for lora in chosen]
    assert texts[0] == texts[1]
    assert texts[4] == texts[5]
    assert len(set(texts)) > 2


def test_a_scale_of_zero_is_no_adapter(lora_server: str) -> None:
    assert text(lora_server, lora=scales(red=0.0)) == text(lora_server)


def test_scales_add_up_and_may_be_negative(lora_server: str) -> None:
    texts = [text(lora_server, lora=lora) for lora in (scales(red=-1.0), scales(red=0.5, blue=2.0), scales(red=1.0))]
    assert len(set(texts)) == 3


def test_an_empty_list_is_what_the_server_applies(lora_server: str, global_scales: None) -> None:
    post(lora_server, scales(green=1.0), "/lora-adapters")
    assert text(lora_server, lora=[]) == text(lora_server, lora=scales(green=1.0))


def test_results_show_the_adapters_that_applied(lora_server: str, global_scales: None) -> None:
    result = complete(lora_server, lora=scales(blue=0.5, red=1.0))
    assert result["generation_settings"]["lora"] == scales(red=1.0, blue=0.5)
    post(lora_server, scales(grey=2.0), "/lora-adapters")
    assert complete(lora_server)["generation_settings"]["lora"] == scales(grey=2.0)


@pytest.mark.parametrize(
    ("lora", "message"),
    [
        ([{"id": 9, "scale": 1.0}], "lora[0].id: expected one of 0, 1, 2, 3, got 9"),
        ([{"id": 0, "scale": 1.0}, {"id": -1, "scale": 1.0}], "lora[1].id: expected one of 0, 1, 2, 3, got -1"),
        ([{"scale": 1.0}], "lora[0].id: expected an integer, got nothing"),
        ([{"id": 0}], "lora[0].scale: expected a number, got nothing"),
        ([{"id": 0, "scale": "1"}], 'lora[0].scale: expected a number, got "1"'),
        ([{"id": 0, "scale": 1}, {"id": 0, "scale": 2}], "lora[1].id: expected each id once, got 0"),
        (["red"], 'lora[0]: expected an object with id and scale, got "red"'),
        ({"id": 0}, 'lora: expected a list of objects with id and scale, got {"id":0}'),
    ],
)
def test_what_names_no_adapter_is_refused(lora_server: str, lora: object, message: str) -> None:
    assert refusal(lora_server, lora=lora) == message


def test_a_server_without_adapters_says_so(server: str) -> None:
    message = "lora[0].id: expected none, since no adapter is loaded, got 0"
    assert refusal(server, lora=[{"id": 0, "scale": 1.0}]) == message


OPENAI = {"temperature": 0, "max_tokens": 16, "cache_prompt": False, "prompt": STORY, "repeat_penalty": 1.0}
CHAT = {"temperature": 0, "max_tokens": 16, "messages": [{"role": "user", "content": "Tell me of a dog"}]}


def ask(url: str, path: str, body: Json, **parameters: str) -> Json:
    response = requests.post(url + path, json=body, params=parameters, timeout=SECONDS)
    assert response.status_code == 200, response.text
    answer: Json = response.json()
    return answer


def openai_text(url: str, **options: Any) -> str:
    return str(ask(url, "/v1/completions", {**OPENAI, **options})["choices"][0]["text"])


def chat_text(url: str, **options: Any) -> str:
    return str(ask(url, "/v1/chat/completions", {**CHAT, **options})["choices"][0]["message"]["content"])


def anthropic_text(url: str, **options: Any) -> str:
    return str(ask(url, "/v1/messages", {**CHAT, **options})["content"][0]["text"])


def response_text(url: str, **options: Any) -> str:
    body = {"input": "Tell me of a dog", "temperature": 0, "max_output_tokens": 16, "store": False, **options}
    return str(ask(url, "/v1/responses", body)["output"][0]["content"][0]["text"])


def ollama_text(url: str, **options: Any) -> str:
    body = {"prompt": "Tell me of a dog", "options": {"temperature": 0, "num_predict": 16}, "stream": False}
    return str(ask(url, "/api/generate", {"model": "bundled", **body, **options})["response"])


def llm_engine_text(url: str, model: str = "bundled", **options: Any) -> str:
    body = {"prompt": STORY, "temperature": 0, "max_new_tokens": 16, **options}
    return str(ask(url, "/v1/llm/completions-sync", body, model_endpoint_name=model)["output"]["text"])


def aixplain_text(url: str, model: str = "bundled", **options: Any) -> str:
    return str(ask(url, f"/api/v2/execute/{model}", {"data": STORY, "max_tokens": 16, **options})["data"])


def llama_text(url: str, **options: Any) -> str:
    return str(ask(url, "/completion", {**OPENAI, **options})["content"])


LLAMA_AND_OPENAI = [llama_text, openai_text, chat_text, response_text]
every_dialect = pytest.mark.parametrize(
    "get_text", [*LLAMA_AND_OPENAI, ollama_text, anthropic_text, llm_engine_text, aixplain_text]
)


@every_dialect
@pytest.mark.parametrize("model", ["red", "bundled:red"])
def test_every_dialect_takes_adapters_by_id_and_as_the_model(lora_server: str, get_text: Any, model: str) -> None:
    with_red = get_text(lora_server, lora=scales(red=1.0))
    assert with_red != get_text(lora_server)
    assert get_text(lora_server, model=model) == with_red


@pytest.mark.parametrize(
    ("path", "body"),
    [("/v1/completions", OPENAI), ("/v1/chat/completions", CHAT), ("/v1/messages", CHAT), ("/completion", OPENAI)],
)
@pytest.mark.parametrize("model", ["red", "bundled:red"])
def test_answers_carry_the_name_of_the_adapter(lora_server: str, path: str, body: Json, model: str) -> None:
    assert ask(lora_server, path, {**body, "model": model})["model"] == model
    assert ask(lora_server, path, {**body, "model": "any-other"})["model"] == "bundled"


def test_an_adapter_that_the_model_does_not_have_is_not_found(lora_server: str) -> None:
    response = post(lora_server, {**OPENAI, "model": "bundled:pink"}, "/v1/completions")
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["param"]) == (404, "model_not_found", "model")
    assert error["message"] == "model: expected red or green or blue or grey after bundled:, got pink"


def test_ollamas_tag_changes_no_name(lora_server: str) -> None:
    assert openai_text(lora_server, model="bundled:latest") == openai_text(lora_server)
    assert openai_text(lora_server, model="red:latest") == openai_text(lora_server, model="red")


def test_an_adapter_as_the_model_and_others_by_id_are_refused(lora_server: str) -> None:
    message = refusal(lora_server, model="red", lora=scales(blue=1.0))
    assert message == "lora: expected none beside the name of an adapter as the model, red, or another model"


def embedding(url: str, **options: Any) -> Any:
    answer = ask(url, "/v1/embeddings", {"input": "The fox is red.", **options})
    return np.array(answer["data"][0]["embedding"])


def test_embeddings_are_computed_with_adapters_too(lora_server: str, global_scales: None) -> None:
    plain, red = embedding(lora_server), embedding(lora_server, lora=scales(red=1.0))
    assert np.abs(plain - red).max() > 0.01
    assert np.allclose(embedding(lora_server, model="red"), red, atol=1e-6)
    post(lora_server, scales(red=1.0), "/lora-adapters")
    assert np.allclose(embedding(lora_server), red, atol=1e-6)
    assert np.allclose(embedding(lora_server, lora=scales(red=0.0)), plain, atol=1e-6)


def test_models_list_adapters_with_their_parent(lora_server: str, lora_folder: Path) -> None:
    base, *adapters = get(f"{lora_server}/v1/models").json()["data"]
    assert base["id"] == "bundled"
    assert [(each["id"], each["parent"], each["root"]) for each in adapters[:4]] == [
        (name, "bundled", str(lora_folder / f"{name}.gguf")) for name in NAMES
    ]
    for name in ("red", "bundled:red"):
        assert get(f"{lora_server}/v1/models/{name}").json()["parent"] == "bundled"
    names = [model["name"] for model in get(f"{lora_server}/v1/llm/model-endpoints").json()["model_endpoints"]]
    assert names[:5] == ["bundled", *NAMES]


def test_an_adapter_listed_first_is_not_left_to_wait_by_long_requests_of_another(lora_server: str) -> None:
    with ExitStack() as streams:
        for _ in range(3):
            streams.enter_context(open_stream(lora_server, lora=scales(red=1.0)))
        text(lora_server, lora=scales(blue=1.0))
        assert n_busy(lora_server) == 3


def test_llamas_list_shows_what_applies(lora_server: str, lora_folder: Path, global_scales: None) -> None:
    assert post(lora_server, scales(green=0.5), "/lora-adapters").json() == {"success": True}
    listed = get(f"{lora_server}/lora-adapters").json()
    assert [each["scale"] for each in listed[:4]] == [0.0, 0.5, 0.0, 0.0]
    assert listed[1] == {
        "id": 1,
        "path": str(lora_folder / "green.gguf"),
        "scale": 0.5,
        "task_name": "task-1",
        "prompt_prefix": "prefix-1",
        "name": "green",
    }


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"id": 0, "scale": 1}, 'body: expected a JSON list, got {"id":0,"scale":1}'),
        ([{"id": 7, "scale": 1}], "body[0].id: expected one of 0, 1, 2, 3, got 7"),
        ([{"id": 0}], "body[0].scale: expected a number, got nothing"),
    ],
)
def test_scales_of_unknown_adapters_change_nothing(lora_server: str, body: object, message: str) -> None:
    error = get_error(post(lora_server, body, "/lora-adapters"))
    assert (error["code"], error["message"]) == (400, message)
    assert [each["scale"] for each in get(f"{lora_server}/lora-adapters").json()][:4] == [0.0] * 4


def test_scales_that_change_later_do_not_change_a_request(lora_server: str, global_scales: None) -> None:
    options: Json = {"prompt": STORY, "n_predict": 100, "ignore_eos": True}
    post(lora_server, scales(green=1.0), "/lora-adapters")
    [first, *alone] = stream(lora_server, **options)
    with begun_stream(lora_server, **options) as running:
        post(lora_server, scales(blue=1.0), "/lora-adapters")
        assert first["content"]
        assert joined_text(list(running)) == joined_text(alone)


@pytest.fixture(scope="module")
def applying_server(lora_server: str, lora_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that drafts, with two adapters that apply to all requests, and an activated one that does not."""
    folder = tmp_path_factory.mktemp("applying")
    tokens = post(lora_server, {"content": " sat down"}, "/tokenize").json()["tokens"]
    activated = Lora(seed=0, invocation_tokens=tokens).write(folder / "activated.gguf")
    scaled = f"{lora_folder / 'green.gguf'}:0.5,{activated}:0"
    flags = ("--lora", str(lora_folder / "red.gguf"), "--lora-scaled", scaled, "--spec-type", "ngram")
    with running_server(folder, *flags) as url:
        yield url


def test_adapters_of_flags_apply_with_their_scales(applying_server: str, lora_server: str) -> None:
    assert [each["scale"] for each in get(f"{applying_server}/lora-adapters").json()] == [1.0, 0.5, 0.0]
    assert text(applying_server) == text(lora_server, lora=scales(red=1.0, green=0.5))


def test_a_name_has_the_scale_of_the_flag(applying_server: str, lora_server: str) -> None:
    assert text(applying_server, model="green") == text(lora_server, lora=scales(green=0.5))


def test_drafts_of_the_model_do_not_change_a_text_with_an_adapter(applying_server: str, lora_server: str) -> None:
    options: Json = {"prompt": "one two three four one two three four one two", "n_predict": 24, "ignore_eos": True}
    drafted = complete(applying_server, lora=scales(red=1.0), **options)["content"]
    assert drafted == complete(lora_server, lora=scales(red=1.0), **options)["content"]


def test_an_activated_adapter_begins_with_its_invocation(applying_server: str) -> None:
    listed = get(f"{applying_server}/lora-adapters").json()[2]
    tokens = post(applying_server, {"content": " sat down"}, "/tokenize").json()["tokens"]
    assert (listed["alora_invocation_string"], listed["alora_invocation_tokens"]) == (" sat down", tokens)
    house = "The dog went to the old red house and"
    invoked, none = [{"id": 2, "scale": 1.0}], [{"id": 0, "scale": 0.0}]
    told = [complete(applying_server, prompt=house, lora=lora)["content"] for lora in (invoked, none)]
    assert told[0] == told[1]
    told = [complete(applying_server, prompt=f"{house} sat down", lora=lora)["content"] for lora in (invoked, none)]
    assert told[0] != told[1]


def test_an_activated_adapter_stands_alone(applying_server: str) -> None:
    both = [{"id": 0, "scale": 1.0}, {"id": 2, "scale": 1.0}]
    assert refusal(applying_server, lora=both) == "lora: expected no other adapter beside an activated LoRA (aLoRA)"
