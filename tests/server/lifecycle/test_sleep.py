"""`--sleep-idle-seconds`: an idle model is unloaded, and loaded again by the next request."""

import shutil
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.adapters.lora_file import Lora
from models.source import BUNDLED_MODEL
from tests.server.http_client import complete, get, get_error, open_stream, post, wait_until
from tests.server.program import PROGRAM, Program, running

MIB = 2**20
N_CTX = 65_536
ANSWERING_PATHS = ("/health", "/props", "/slots", "/v1/models", "/models", "/chat")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copy(BUNDLED_MODEL, tmp_path_factory.mktemp("model") / "model.gguf"))


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Iterator[Program]:
    flags = ("--model", str(model), "-t", "1", "-c", str(N_CTX), "-np", "2", "--allow-runtime-lora-updating")
    with running(tmp_path_factory.mktemp("sleep"), *PROGRAM, *flags, "--sleep-idle-seconds", "1") as program:
        program.ready_url()
        yield program


@pytest.fixture
def url(program: Program) -> str:
    return program.ready_url()


@pytest.fixture
def sleeping_url(url: str) -> str:
    wait_for_sleep(url)
    return url


def is_sleeping(url: str) -> bool:
    sleeping: bool = get(f"{url}/props").json()["is_sleeping"]
    return sleeping


def wait_for_sleep(url: str) -> None:
    wait_until(lambda: is_sleeping(url), "falling asleep")


def test_memory_of_the_model_and_its_contexts_is_given_back(url: str) -> None:
    n_used = 4_000  # the other cells of the KV cache take no memory
    complete(url, prompt=list(range(100, 200)) * (n_used // 100), n_predict=1)
    with open_stream(url):  # which keeps it awake
        awake = get(f"{url}/props").json()["memory"]
    kv_cache = sum(kinds.get("kv_cache", 0) for kinds in awake["buffers"].values()) * n_used // N_CTX
    assert kv_cache > 5 * MIB
    wait_for_sleep(url)
    wait_until(lambda: not get(f"{url}/props").json()["memory"]["buffers"], "unloading")
    asleep = get(f"{url}/props").json()["memory"]
    assert asleep["private"] < awake["private"] - kv_cache


def test_questions_about_the_state_are_answered_and_wake_nobody(sleeping_url: str) -> None:
    for path in ANSWERING_PATHS:
        assert get(sleeping_url + path).status_code == 200, path
    assert get(f"{sleeping_url}/health").json() == {"status": "ok"}
    assert len(get(f"{sleeping_url}/slots").json()) == 2
    assert requests.head(f"{sleeping_url}/health", timeout=10).status_code == 200
    assert is_sleeping(sleeping_url)


def test_answers_are_those_of_the_model_that_was_loaded(url: str) -> None:
    with open_stream(url):  # which keeps it awake
        awake = {path: get(url + path).json() for path in ("/v1/models", "/props")}
    wait_for_sleep(url)
    asleep = {path: get(url + path).json() for path in awake}
    for props in (awake["/props"], asleep["/props"]):
        del props["memory"], props["is_sleeping"], props["n_threads"], props["n_threads_batch"]
    assert asleep == awake


def metrics(url: str) -> dict[str, float]:
    """Returns the series without labels of their own, by name."""
    families = text_string_to_metric_families(get(f"{url}/metrics").text)
    samples = [sample for family in families for sample in family.samples]
    return {sample.name: sample.value for sample in samples if set(sample.labels) <= {"model_name"}}


def test_metrics_know_what_is_gone_and_what_was_counted(url: str) -> None:
    complete(url)
    awake = metrics(url)
    complete(url)
    assert awake["llama_slots_is_sleeping"] == 0
    assert awake["llama_slots_kv_cells_used"] > 0
    wait_for_sleep(url)
    asleep, later = metrics(url), metrics(url)
    assert asleep["llama_slots_is_sleeping"] == 1
    assert asleep["llama_slots_kv_cells_used"] == asleep["llama_slots_kv_cache_usage_perc"] == 0
    assert asleep["llama_slots_kv_cells"] == awake["llama_slots_kv_cells"]
    assert asleep["llama_slots_generation_tokens_total"] > awake["llama_slots_generation_tokens_total"]
    assert asleep["llamacpp:predicted_tokens_seconds"] > 0 == later["llamacpp:predicted_tokens_seconds"]
    assert later["process_cpu_seconds_total"] >= asleep["process_cpu_seconds_total"] > 0
    complete(url)
    again = metrics(url)
    assert (again["llama_slots_is_sleeping"], again["llama_slots_kv_cells_used"] > 0) == (0, True)


def test_the_pool_of_a_model_that_sleeps_holds_nothing(url: str) -> None:
    complete(url)
    awake = get(f"{url}/pool").json()
    assert not awake["is_sleeping"]
    assert any(slot["n_tokens"] for slot in awake["slots"])
    wait_for_sleep(url)
    asleep = get(f"{url}/pool").json()
    assert asleep["is_sleeping"]
    assert asleep.keys() == awake.keys()
    assert [slot["n_tokens"] for slot in asleep["slots"]] == [0, 0]
    assert asleep["kv_cache"] == {**awake["kv_cache"], "n_used": 0}
    assert (asleep["parked"]["n_bytes"], asleep["parked"]["tree"]["children"]) == (0, [])
    assert set(asleep["rates"]["generated_tokens_per_second"]) == {0}


def test_a_request_gets_the_text_that_it_would_have_got(program: Program, url: str) -> None:
    text = complete(url)["content"]
    wait_for_sleep(url)
    n_loads = program.output.count("Awake: ")
    assert complete(url)["content"] == text
    assert program.output.count("Awake: ") == n_loads + 1


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/tokenize", {"content": "Once"}),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}),
        ("/v1/embeddings", {"input": "Once"}),
    ],
)
def test_every_endpoint_that_needs_the_model_wakes_it(
    program: Program, sleeping_url: str, path: str, fields: dict[str, object]
) -> None:
    n_loads = program.output.count("Awake: ")
    assert post(sleeping_url, fields, path).status_code == 200
    assert program.output.count("Awake: ") == n_loads + 1


def test_a_path_with_a_name_wakes_it(sleeping_url: str) -> None:
    name = get(f"{sleeping_url}/v1/models").json()["data"][0]["id"]
    assert get(f"{sleeping_url}/v1/models/{name}").json()["id"] == name
    assert get(f"{sleeping_url}/v1/models/other").status_code == 404


def test_requests_that_come_together_wait_for_one_load(program: Program, sleeping_url: str) -> None:
    n_loads = program.output.count("Awake: ")
    with ThreadPoolExecutor(4) as pool:
        texts = {answer["content"] for answer in pool.map(complete, [sleeping_url] * 4)}
    assert len(texts) == 1
    assert program.output.count("Awake: ") == n_loads + 1


def test_a_stream_keeps_the_model_loaded(url: str) -> None:
    with open_stream(url):
        time.sleep(1.5)
        assert not is_sleeping(url)


def test_a_failed_load_is_told_to_all_who_wait_and_tried_again(sleeping_url: str, model: Path) -> None:
    away = model.rename(model.with_suffix(".away"))
    try:
        with ThreadPoolExecutor(3) as pool:
            responses = list(pool.map(post, [sleeping_url] * 3, [{"prompt": "Once"}] * 3))
        for response in responses:
            error = get_error(response)
            assert error["code"] == 503
            assert str(error["message"]).startswith("the model was unloaded and cannot be loaded again: llama.cpp cann")
        assert get_error(post(sleeping_url, {"content": "Once"}, "/tokenize"))["code"] == 503
        assert is_sleeping(sleeping_url)
    finally:
        away.rename(model)
    assert complete(sleeping_url)["content"]


def test_a_key_is_still_required_while_asleep(tmp_path: Path) -> None:
    flags = ("--threads", "1", "--api-key", "secret", "--api-prefix", "/llm", "--sleep-idle-seconds", "1")
    headers = {"Authorization": "Bearer secret"}
    with running(tmp_path, *PROGRAM, *flags) as program:
        url = program.ready_url()
        program.wait_for("Asleep after 1 seconds")
        assert requests.get(f"{url}/llm/props", timeout=10).status_code == 401
        assert requests.get(f"{url}/llm/props", headers=headers, timeout=10).json()["is_sleeping"]
        assert requests.get(f"{url}/llm/health", timeout=10).status_code == 200
        program.signal(signal.SIGTERM)
        assert program.exit_code() == 0


def test_adapters_of_run_time_are_there_again(sleeping_url: str, tmp_path: Path) -> None:
    file = tmp_path / "late.gguf"
    Lora(seed=5).write(file)
    post(sleeping_url, {"lora_name": "late", "lora_path": str(file)}, "/v1/load_lora_adapter").raise_for_status()
    [adapter] = get(f"{sleeping_url}/lora-adapters").json()
    post(sleeping_url, [{"id": adapter["id"], "scale": 0.5}], "/lora-adapters").raise_for_status()
    before = complete(sleeping_url, model="late")["content"]
    wait_for_sleep(sleeping_url)
    assert complete(sleeping_url, model="late")["content"] == before
    [again] = get(f"{sleeping_url}/lora-adapters").json()
    assert (again["name"], again["scale"]) == ("late", 0.5)
    post(sleeping_url, {"lora_name": "late"}, "/v1/unload_lora_adapter").raise_for_status()
