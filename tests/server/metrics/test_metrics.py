"""GET /metrics, read as Prometheus does."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import running_server
from tests.server.http_client import complete, get, get_error, post

LLAMA_COUNTERS = (
    *("prompt_tokens_total", "prompt_tokens_cached_total", "prompt_seconds_total", "tokens_predicted_total"),
    *("tokens_predicted_seconds_total", "n_decode_total", "n_tokens_max", "spec_decode_num_draft_tokens_total"),
    *("spec_decode_num_accepted_tokens_total", "spec_decode_num_drafts_total"),
)
LLAMA_GAUGES = (
    *("prompt_tokens_seconds", "predicted_tokens_seconds", "requests_processing", "requests_deferred"),
    "n_busy_slots_per_decode",
)
HISTOGRAMS = (
    *("time_to_first_token_seconds", "inter_token_latency_seconds", "e2e_request_latency_seconds"),
    *("request_queue_time_seconds", "request_prefill_time_seconds", "request_decode_time_seconds"),
)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server that has completed one text, and refused one body."""
    with running_server(tmp_path_factory.mktemp("metrics"), "--alias", "tiny", "--spec-type", "ngram") as url:
        complete(url, n_predict=8)
        assert post(url, {"prompt": "x", "n_predict": "many"}).status_code == 400
        yield url


def series(url: str) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """Returns the value of each series by its name and labels, the model's left out."""
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(get(f"{url}/metrics").text):
        for sample in family.samples:
            labels = tuple(sorted((name, text) for name, text in sample.labels.items() if name != "model_name"))
            found.setdefault(sample.name, {})[labels] = sample.value
    return found


def value(url: str, name: str, **labels: str) -> float:
    return series(url)[name][tuple(sorted(labels.items()))]


def test_it_is_prometheus_text_with_the_time_of_the_start(fresh: str) -> None:
    response = get(f"{fresh}/metrics")
    assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    # in these capitals, for which llama.cpp's clients look
    assert int(dict(response.raw.headers.items())["Process-Start-Time-Unix"]) > 1_700_000_000


@pytest.mark.parametrize(("names", "kind"), [(LLAMA_COUNTERS, "counter"), (LLAMA_GAUGES, "gauge")])
def test_the_series_of_llama_cpp_have_its_names_and_types(fresh: str, names: tuple[str, ...], kind: str) -> None:
    lines = get(f"{fresh}/metrics").text.splitlines()
    for name in names:
        assert f"# TYPE llamacpp:{name} {kind}" in lines
        assert sum(line.startswith(f"# HELP llamacpp:{name} ") for line in lines) == 1
        assert sum(line.startswith(f"llamacpp:{name} ") for line in lines) == 1


def test_they_count_what_responses_say(fresh: str) -> None:
    before = series(fresh)
    timings = [complete(fresh, n_predict=n, cache_prompt=True)["timings"] for n in (1, 4)]
    after = series(fresh)

    def grown(name: str) -> float:
        return after[name][()] - before[name][()]

    assert grown("llamacpp:prompt_tokens_total") == sum(each["prompt_n"] for each in timings)
    assert grown("llamacpp:prompt_tokens_cached_total") == sum(each["cache_n"] for each in timings)
    assert grown("llamacpp:tokens_predicted_total") == 5
    assert after["llamacpp:n_tokens_max_total"][()] >= 8  # its parser adds the ending
    assert after["llamacpp:requests_processing"][()] == 0


def test_speeds_are_those_since_the_last_scrape(fresh: str) -> None:
    complete(fresh, n_predict=4)
    assert value(fresh, "llamacpp:predicted_tokens_seconds") > 0
    assert value(fresh, "llamacpp:predicted_tokens_seconds") == 0


@pytest.mark.parametrize("name", HISTOGRAMS)
def test_histograms_have_the_shape_of_vllm(fresh: str, name: str) -> None:
    found = series(fresh)
    buckets = found[f"llama_slots_{name}_bucket"]
    counts = [count for _, count in sorted((float(labels[0][1]), count) for labels, count in buckets.items())]
    assert counts == sorted(counts)
    assert counts[-1] == found[f"llama_slots_{name}_count"][()] > 0
    assert found[f"llama_slots_{name}_sum"][()] >= 0


def test_every_series_of_the_engine_names_the_model(fresh: str) -> None:
    for family in text_string_to_metric_families(get(f"{fresh}/metrics").text):
        if family.name.startswith("llama_slots_"):
            assert {sample.labels.get("model_name") for sample in family.samples} <= {"tiny"}


def test_hits_misses_and_evictions_are_told_apart(fresh: str) -> None:
    found = series(fresh)
    sources = {"own_slot", "other_slot", "parked", "burst"}
    assert {labels[0][1] for labels in found["llama_slots_prefix_cache_hits_total"]} == sources
    assert {labels[0][1] for labels in found["llama_slots_prefix_cache_hit_tokens_total"]} == sources
    reasons = {labels[0][1] for labels in found["llama_slots_prefix_cache_misses_total"]}
    assert {"text_differs", "evicted", "other_salt", "cannot_be_cut"} <= reasons
    assert {labels[0][1] for labels in found["llama_slots_evictions_total"]} == {"slot", "parked", "request"}


def test_the_time_of_the_thread_is_split(fresh: str) -> None:
    complete(fresh, n_predict=16)
    seconds = series(fresh)["llama_slots_step_seconds_total"]
    assert {labels[0][1] for labels in seconds} == {"decode", "sampling", "rest"}
    assert all(value > 0 for value in seconds.values())


def test_errors_are_counted_by_code(fresh: str) -> None:
    before = value(fresh, "llama_slots_errors_total", code="400")
    assert post(fresh, {"prompt": []}).status_code == 400
    assert value(fresh, "llama_slots_errors_total", code="400") == before + 1


def test_responses_are_counted_by_endpoint_and_unknown_paths_together(fresh: str) -> None:
    for path in ("/nothing", "/nowhere?x=1"):
        assert get(fresh + path).status_code == 404
    responses = series(fresh)["llama_slots_http_responses_total"]
    assert responses[("code", "200"), ("method", "POST"), ("path", "/completion")] >= 1
    assert responses[("code", "404"), ("method", "none"), ("path", "none")] >= 2
    assert not any("nothing" in text for labels in responses for _, text in labels)


def test_reasons_of_ends_are_counted(fresh: str) -> None:
    before = value(fresh, "llama_slots_requests_finished_total", finished_reason="limit")
    complete(fresh, n_predict=1)
    assert value(fresh, "llama_slots_requests_finished_total", finished_reason="limit") == before + 1


def test_the_kv_cache_is_as_full_as_the_slots(fresh: str) -> None:
    complete(fresh, n_predict=1)
    n_cached = sum(slot["n_cached_tokens"] for slot in get(f"{fresh}/slots").json())
    found = series(fresh)
    assert found["llama_slots_kv_cells_used"][()] == n_cached > 0
    assert found["llama_slots_kv_cache_usage_perc"][()] == n_cached / found["llama_slots_kv_cells"][()]


def test_the_process_is_described(fresh: str) -> None:
    found = series(fresh)
    assert found["process_resident_memory_bytes"][()] > 1e6
    assert found["process_cpu_seconds_total"][()] > 0


def test_promtool_accepts_it(fresh: str) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed")
    text = get(f"{fresh}/metrics").content
    done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, check=False)
    complaints = [line for line in (done.stdout + done.stderr).decode().splitlines() if "llamacpp:" not in line]
    assert complaints == []
    assert done.returncode in (0, 3)  # 3: it does not like the names that llama.cpp has chosen


def test_it_can_be_turned_off(tmp_path: Path) -> None:
    with running_server(tmp_path, "--no-metrics") as url:
        error = get_error(get(f"{url}/metrics"))
        assert (error["code"], error["type"]) == (501, "not_supported_error")
        assert get(f"{url}/props").json()["endpoint_metrics"] is False


def test_it_needs_a_key(tmp_path: Path) -> None:
    with running_server(tmp_path, "--api-key", "secret") as url:
        assert get(f"{url}/metrics").status_code == 401
