from pathlib import Path

import pytest

from slots.machine import usable_cpus
from tests.server.http_client import STORY, Json, get, n_busy, open_stream, post, wait_until
from tests.server.program import PROGRAM, running

MIN_PROGRAM_BYTES = 20 * 2**20
"""What Python with the packages takes at least."""


@pytest.mark.parametrize("path", ["/health", "/v1/health"])
def test_health_of_a_server_that_is_ready(server: str, path: str) -> None:
    response = get(server + path)
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


def test_props_describe_the_server(server: str) -> None:
    props = get(f"{server}/props").json()
    assert props["total_slots"] == 4
    assert props["model_path"].endswith(".gguf")
    assert props["model_alias"] == "bundled"
    assert props["modalities"] == {"vision": False, "video": False, "audio": False}
    assert props["model_ftype"] == get(f"{server}/v1/models").json()["data"][0]["meta"]["ftype"]
    assert "im_start" in props["chat_template"]
    assert "llama-cpp-python" in props["build_info"]


def test_props_and_slots_tell_the_threads_in_use(server: str) -> None:
    """The server was started with one thread."""
    post(server, {"prompt": "Once", "n_predict": 2}).raise_for_status()
    props = get(f"{server}/props").json()
    assert (props["n_threads"], props["n_threads_batch"]) == (1, 1)
    assert 1 <= props["n_threads_max"] <= usable_cpus().n_threads
    assert {slot["n_threads"] for slot in get(f"{server}/slots").json()} == {1}


def test_without_a_fixed_number_the_threads_in_use_are_those_of_the_latest_steps(tmp_path: Path) -> None:
    with running(tmp_path, *PROGRAM) as program:
        url = program.ready_url()
        post(url, {"prompt": "Once " * 50, "n_predict": 50}).raise_for_status()
        props = get(f"{url}/props").json()
    assert props["n_threads_max"] == usable_cpus().n_threads
    assert min(props["n_threads"], props["n_threads_batch"]) >= 1
    assert max(props["n_threads"], props["n_threads_batch"]) <= props["n_threads_max"]


def test_props_tell_the_default_settings(server: str) -> None:
    defaults = get(f"{server}/props").json()["default_generation_settings"]
    assert defaults["n_ctx"] == 2048
    assert (defaults["params"]["temperature"], defaults["params"]["repeat_penalty"]) == (0.8, 1.1)
    assert defaults["params"]["dry_sequence_breakers"] == ["\n", ":", '"', "*"]
    assert not defaults["params"]["return_tokens"]


def test_default_settings_are_those_that_a_result_says(server: str) -> None:
    defaults = get(f"{server}/props").json()["default_generation_settings"]["params"]
    asked_for = {"seed", "n_predict", "max_tokens"}
    settings = post(server, {"prompt": STORY, "n_predict": 1}).json()["generation_settings"]
    assert {name: settings[name] for name in defaults.keys() - asked_for} == {
        name: value for name, value in defaults.items() if name not in asked_for
    }


@pytest.mark.parametrize("path", ["/models", "/v1/models"])
def test_models_are_listed_as_openai_lists_them(server: str, path: str) -> None:
    listed = get(server + path).json()
    assert listed["object"] == "list"
    [model] = listed["data"]
    assert (model["id"], model["object"]) == ("bundled", "model")
    assert model["created"] > 0
    names = {"vocab_type", "n_vocab", "n_ctx", "n_ctx_train", "n_embd", "n_params", "size", "ftype"}
    assert model["meta"].keys() == names
    assert isinstance(model["meta"]["vocab_type"], int)
    assert model["architecture"] == {"input_modalities": ["text"], "output_modalities": ["text"]}


@pytest.mark.parametrize("path", ["/models", "/v1/models"])
def test_models_are_listed_as_ollama_lists_them_too(server: str, path: str) -> None:
    listed = get(server + path).json()
    [model], [same] = listed["models"], listed["data"]
    assert (model["name"], model["model"], model["capabilities"]) == ("bundled", "bundled", ["completion"])
    assert model["details"]["format"] == "gguf"
    assert model["details"]["family"]
    assert model["details"]["quantization_level"] == same["meta"]["ftype"]
    assert model["size"] == same["meta"]["size"]


def test_slots_are_listed_by_number(server: str) -> None:
    assert [slot["id"] for slot in get(f"{server}/slots").json()] == [0, 1, 2, 3]


def test_busy_slot_says_what_it_does_and_nothing_of_its_text(endless_server: str) -> None:
    secrets: Json = {"stop": ["secret"], "dry_sequence_breakers": ["secret"], "logit_bias": [["secret", 1]]}
    server = endless_server
    with open_stream(server, n_predict=50_000, slot_id=3, top_k=11, min_keep=3, n_indent=0, **secrets):
        answer = get(f"{server}/slots")
    busy = answer.json()[3]
    assert busy["is_processing"]
    assert (busy["params"]["top_k"], busy["params"]["min_keep"], busy["params"]["n_predict"]) == (11, 3, 50_000)
    assert busy["params"]["samplers"][0] == "penalties"
    assert busy["next_token"][0]["n_decoded"] > 0
    assert busy["next_token"][0]["n_decoded"] + busy["next_token"][0]["n_remain"] == 50_000
    assert STORY not in answer.text
    assert not {"secret", "stop", "dry_sequence_breakers", "logit_bias"} & busy["params"].keys()
    assert "secret" not in answer.text


def test_idle_slot_is_enough_for_fail_on_no_slot(server: str) -> None:
    assert get(f"{server}/slots?fail_on_no_slot=1").status_code == 200


def test_busy_slots_are_not_enough_for_fail_on_no_slot(endless_server: str) -> None:
    with open_stream(endless_server, prompt=[STORY] * 4):
        wait_until(lambda: n_busy(endless_server) == 4, "the start of all")
        refused = get(f"{endless_server}/slots?fail_on_no_slot=1")
    assert (refused.status_code, refused.json()["error"]["message"]) == (503, "no slot available")


def test_props_tell_what_the_memory_is_used_for(server: str) -> None:
    memory = get(f"{server}/props").json()["memory"]
    total = {
        kind: sum(kinds.get(kind, 0) for kinds in memory["buffers"].values())
        for kind in ("model", "kv_cache", "compute", "output")
    }
    meta = get(f"{server}/v1/models").json()["data"][0]["meta"]
    assert total["model"] >= 0.9 * meta["size"]
    assert min(total.values()) > 0
    assert memory["parked_prefixes"] >= 0
    # Of the buffers, neither the mapped weights nor the cells of the KV cache that were not used yet are private.
    assert memory["resident"] is None or memory["resident"] > memory["private"] > MIN_PROGRAM_BYTES


def test_props_count_the_tables_of_grammars_from_the_first_grammar_on(tmp_path: Path) -> None:
    with running(tmp_path, *PROGRAM, "-c", "512", "-np", "1") as program:
        url = program.ready_url()
        post(url, {"prompt": STORY, "n_predict": 1})
        assert get(f"{url}/props").json()["memory"]["grammar_tables"] == 0
        post(url, {"prompt": STORY, "n_predict": 1, "json_schema": {}})
        tables = get(f"{url}/props").json()["memory"]["grammar_tables"]
        assert tables is None or tables > 100_000


def test_props_count_parked_prefixes(tmp_path: Path) -> None:
    with running(tmp_path, *PROGRAM, "-c", "1024", "-np", "1") as program:
        url = program.ready_url()
        assert get(f"{url}/props").json()["memory"]["parked_prefixes"] == 0
        for prompt in ("one " * 100, "two " * 100):
            post(url, {"prompt": prompt, "n_predict": 1})
        assert get(f"{url}/props").json()["memory"]["parked_prefixes"] > 0
