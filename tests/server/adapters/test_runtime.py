"""Adapters that are loaded and unloaded while the server runs, in vLLM's spelling."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from benchmarks.adapters.lora_file import Lora
from tests.server.http_client import begun_stream, complete, get, open_stream, post, wait_until


def load(url: str, name: str, path: Path | str) -> requests.Response:
    return post(url, {"lora_name": name, "lora_path": str(path)}, "/v1/load_lora_adapter")


def unload(url: str, name: str) -> requests.Response:
    return post(url, {"lora_name": name}, "/v1/unload_lora_adapter")


def message(response: requests.Response, status: int = 400) -> str:
    assert response.status_code == status, response.text
    return str(response.json()["error"]["message"])


def model_names(url: str) -> list[str]:
    return [model["id"] for model in get(f"{url}/v1/models").json()["data"]]


@pytest.fixture
def late(lora_server: str, lora_folder: Path) -> Iterator[str]:
    """The name of an adapter that is loaded for one test."""
    response = load(lora_server, "late", lora_folder / "late.gguf")
    assert (response.status_code, response.text) == (200, "Success: LoRA adapter 'late' added successfully.")
    yield "late"
    unload(lora_server, "late")


def test_a_loaded_adapter_is_a_model_and_has_an_id(lora_server: str, late: str) -> None:
    assert model_names(lora_server)[-1] == late
    listed = get(f"{lora_server}/lora-adapters").json()[-1]
    assert (listed["name"], listed["scale"]) == (late, 0.0)
    by_id = complete(lora_server, lora=[{"id": listed["id"], "scale": 1.0}])["content"]
    assert by_id == complete(lora_server, model=late)["content"] != complete(lora_server)["content"]


def test_an_unloaded_adapter_is_gone_and_its_name_is_not_the_models(lora_server: str, late: str) -> None:
    [*_, listed] = get(f"{lora_server}/lora-adapters").json()
    assert unload(lora_server, late).text == "Success: LoRA adapter 'late' removed successfully."
    assert late not in model_names(lora_server)
    lora = [{"id": listed["id"], "scale": 1.0}]
    expected = f"lora[0].id: expected one of 0, 1, 2, 3, got {listed['id']}"
    assert message(post(lora_server, {"prompt": "a", "lora": lora})) == expected
    for path in ("/completion", "/v1/completions"):
        response = post(lora_server, {"prompt": "a", "model": late}, path)
        assert message(response, 404) == "model: the adapter late was unloaded"
    assert message(unload(lora_server, late), 404) == "lora_name: the adapter late was unloaded"


def test_running_requests_end_before_an_adapter_is_unloaded_and_new_ones_are_refused(
    lora_server: str, late: str
) -> None:
    with (
        ThreadPoolExecutor(1) as clients,
        open_stream(lora_server, model=late),
        begun_stream(lora_server, model=late, n_predict=300, ignore_eos=True) as running,
    ):
        unloading = clients.submit(unload, lora_server, late)
        wait_until(lambda: late not in model_names(lora_server), "the beginning of the unloading")
        response = post(lora_server, {"prompt": "a", "model": late})
        assert message(response, 404) == "model: the adapter late is being unloaded"
        assert list(running)[-1]["tokens_predicted"] == 300
        assert not unloading.done(), "a stream still uses it"
    assert unloading.result().status_code == 200


def test_an_adapter_is_loaded_while_others_generate(lora_server: str, lora_folder: Path) -> None:
    with open_stream(lora_server, model="red") as first:
        assert first
        assert load(lora_server, "meanwhile", lora_folder / "late.gguf").status_code == 200
        assert complete(lora_server, model="meanwhile")["stop"]
    assert unload(lora_server, "meanwhile").status_code == 200


def test_another_file_under_the_same_name_does_not_get_what_the_first_one_computed(
    lora_server: str, late: str, tmp_path: Path
) -> None:
    prompt = "The old miller had three cats and a dog that slept in the sun all day long, and "
    complete(lora_server, prompt=prompt, model=late, cache_prompt=True)
    unload(lora_server, late)
    load(lora_server, late, Lora(seed=77).write(tmp_path / "other.gguf"))
    again = complete(lora_server, prompt=prompt, model=late, cache_prompt=True)
    assert again["timings"]["cache_n"] == 0
    assert again["content"] == complete(lora_server, prompt=prompt, model=late)["content"]


def test_a_name_that_is_taken_is_refused(lora_server: str, lora_folder: Path) -> None:
    response = load(lora_server, "red", lora_folder / "late.gguf")
    assert message(response) == "lora_name: expected a name that no adapter has, got red"
    response = load(lora_server, "bundled", lora_folder / "late.gguf")
    assert message(response) == "lora_name: expected another name than the model's, got bundled"


def test_a_file_that_is_no_adapter_of_the_model_is_refused(lora_server: str, tmp_path: Path) -> None:
    other = Lora(architecture="qwen3").write(tmp_path / "other.gguf")
    expected = f"lora_path: {other} is an adapter for models of the architecture qwen3, not for llama"
    assert message(load(lora_server, "other", other)) == expected
    assert message(load(lora_server, "other", "/nowhere.gguf")) == "lora_path: /nowhere.gguf does not exist"
    assert "other" not in model_names(lora_server)


def test_what_llama_cpp_refuses_is_refused_and_its_name_is_free(
    lora_server: str, lora_folder: Path, tmp_path: Path
) -> None:
    data = (lora_folder / "late.gguf").read_bytes()
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(data.replace(b"adapter.lora.alpha", b"adapter.lora.alphb").replace(b"lora_a", b"lora_c", 1))
    assert message(load(lora_server, "broken", broken)).startswith("lora_path: ")
    assert load(lora_server, "broken", lora_folder / "late.gguf").status_code == 200
    assert unload(lora_server, "broken").status_code == 200


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"lora_name": "a"}, "lora_path: expected a string, got nothing"),
        ({"lora_path": "a"}, "lora_name: expected a string, got nothing"),
        ({"lora_name": "", "lora_path": "a"}, 'lora_name: expected 1 to 256 printable characters, got ""'),
        ({"lora_name": "a", "lora_path": "\0"}, 'lora_path: expected the path of a file, got "\\u0000"'),
        ({"lora_name": 5, "lora_path": "a"}, "lora_name: expected a string, got 5"),
    ],
)
def test_what_is_missing_is_named(lora_server: str, body: object, expected: str) -> None:
    assert message(post(lora_server, body, "/v1/load_lora_adapter")) == expected


def test_unloading_what_is_not_there_is_not_found(lora_server: str) -> None:
    assert message(unload(lora_server, "none"), 404) == "lora_name: expected the name of a loaded adapter, got none"


def test_without_the_flag_no_file_is_read(server: str) -> None:
    how = "start it with `--allow-runtime-lora-updating`"
    expected = f"this server loads and unloads no LoRA adapters by requests; {how}"
    assert message(load(server, "a", "/etc/passwd"), 501) == expected
    assert message(unload(server, "a"), 501) == expected


def test_adapters_are_unloaded_though_the_client_has_gone_away(lora_server: str, late: str) -> None:
    with open_stream(lora_server, model=late), pytest.raises(requests.Timeout):
        requests.post(f"{lora_server}/v1/unload_lora_adapter", json={"lora_name": late}, timeout=0.2)

    def is_unloaded() -> bool:
        response = post(lora_server, {"prompt": "a", "n_predict": 1, "model": late})
        return "error" in response.json() and message(response, 404) == "model: the adapter late was unloaded"

    wait_until(is_unloaded, "unloading")
