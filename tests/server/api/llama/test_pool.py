"""GET /pool, and what /slots tells beside llama.cpp's fields."""

import math
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import running_server
from tests.server.http_client import Json, complete, get, open_stream, wait_until

LONG = "The cat sat on the mat and looked at the moon, and the moon looked back at the cat, and both were happy."


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server with two slots, whose texts have no end."""
    with running_server(tmp_path_factory.mktemp("pool"), "-np", "2", "--slots-prompts", "--context-shift") as url:
        yield url


def pool(url: str) -> Json:
    body: Json = get(f"{url}/pool").json()
    return body


def wait_until_idle(url: str) -> None:
    wait_until(lambda: all(slot["state"] == "idle" for slot in pool(url)["slots"]), "the end of other requests")


def test_slots_say_what_they_do(pair: str) -> None:
    wait_until_idle(pair)
    with open_stream(pair) as _:
        slots = pool(pair)["slots"]
        assert sorted(slot["state"] for slot in slots) == ["generating", "idle"]
        busy = next(slot for slot in slots if slot["state"] == "generating")
        assert (busy["n_ctx"], busy["n_prompt_tokens"]) == (2048, 4)
        assert busy["n_decoded"] >= 1
        assert busy["n_tokens"] >= busy["n_prompt_tokens"]


def test_those_that_wait_have_places(pair: str) -> None:
    wait_until_idle(pair)
    with ThreadPoolExecutor(3) as workers, ExitStack() as streams:
        for _ in range(2):
            streams.enter_context(open_stream(pair))
        for _ in range(3):
            workers.submit(complete, pair, n_predict=1)
        wait_until(lambda: pool(pair)["queue"]["n_waiting"] == 3, "the arrival")
        queue = pool(pair)["queue"]
        assert [place["position"] for place in queue["first"]] == [1, 2, 3]
        assert all(place["n_prompt_tokens"] == 4 for place in queue["first"])


def test_a_slot_says_what_was_cached_and_from_where(pair: str) -> None:
    wait_until_idle(pair)
    complete(pair, prompt=LONG, n_predict=1, cache_prompt=True)
    with open_stream(pair, prompt=LONG, cache_prompt=True) as _:
        slot = next(slot for slot in get(f"{pair}/slots").json() if slot["is_processing"])
        assert [hit["source"] for hit in slot["cache_hits"]] == ["own_slot"]
        assert slot["cache_hits"][0]["n_tokens"] == slot["n_prompt_tokens_cache"] > 20
        assert slot["cache_miss"] is None
        assert slot["state"] == "generating"


def test_a_slot_says_why_no_more_was_cached(pair: str) -> None:
    wait_until_idle(pair)
    complete(pair, prompt=LONG, n_predict=1, cache_prompt=True)
    with open_stream(pair, prompt=LONG[:60] + " Then a dog came.", cache_prompt=True) as _:
        slot = next(slot for slot in get(f"{pair}/slots").json() if slot["is_processing"])
        miss = slot["cache_miss"]
        assert miss["reason"] == "text_differs"
        assert miss["at_token"] == slot["n_prompt_tokens_cache"] > 0
        assert "dog came" in miss["text"]


def test_what_lost_its_slot_is_a_tree(pair: str) -> None:
    for end in ("One.", "Two.", "Three.", "Four.", "Five."):
        complete(pair, prompt=LONG + end * 12, n_predict=1, cache_prompt=True)
    parked = pool(pair)["parked"]
    assert parked["n_sequences"] >= 3
    assert 0 < parked["n_bytes"] <= parked["budget_bytes"]

    def total(prefix: Json) -> int:
        return int(prefix["n_bytes"]) + sum(map(total, prefix["children"]))

    assert total(parked["tree"]) == parked["n_bytes"]
    common = next(child for child in parked["tree"]["children"] if child["text"].strip().startswith("The cat"))

    def n_parked(prefix: Json) -> int:
        return int(prefix["n_bytes"] > 0) + sum(map(n_parked, prefix["children"]))

    assert n_parked(common) >= 3


def test_speeds_of_the_last_minutes_move(pair: str) -> None:
    started = time.monotonic()
    complete(pair, n_predict=64, ignore_eos=True)
    rates = pool(pair)["rates"]
    n_buckets = math.ceil((time.monotonic() - started) / rates["bucket_seconds"]) + 1
    assert sum(rates["generated_tokens_per_second"][-n_buckets:]) * rates["bucket_seconds"] >= 64
    assert len(rates["generated_tokens_per_second"]) == len(rates["prompt_tokens_per_second"]) == 60


def test_texts_of_others_are_not_shown(tmp_path: Path) -> None:
    with running_server(tmp_path, "-np", "1") as url:
        complete(url, prompt=LONG, n_predict=1, cache_prompt=True)
        complete(url, prompt="Another text that is long enough to be kept in memory, as it is.", n_predict=1)
        assert pool(url)["parked"]["n_sequences"] == 1
        assert "cat" not in get(f"{url}/pool").text
        with open_stream(url, prompt=LONG[:60] + " Then a dog came.", cache_prompt=True) as _:
            slot = get(f"{url}/slots").json()[0]
            assert "text" not in slot["cache_miss"]


def test_it_is_turned_off_with_slots(tmp_path: Path) -> None:
    with running_server(tmp_path, "--no-slots") as url:
        assert get(f"{url}/pool").status_code == 501
