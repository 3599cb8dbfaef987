"""The member `cache_miss` of responses: where a prompt parted from what was cached, and why."""

from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from server.generation.cache_miss import SECRET_REASONS, cache_miss_json
from slots.requests.cache_use import CacheMiss
from slots.requests.request import CompletionRequest
from tests.conftest import running_server
from tests.server.http_client import complete, get, post, tokenize

TEXT = "The cat sat on the mat and looked at the moon, and the moon looked back at the cat, and both were happy."


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server with one slot that parks nothing."""
    with running_server(tmp_path_factory.mktemp("miss"), "-np", "1", "--cache-ram", "0") as url:
        yield url


def miss_of(url: str, prompt: str, **fields: Any) -> Any:
    return complete(url, prompt=prompt, n_predict=1, cache_prompt=True, **fields)["cache_miss"]


def test_a_changed_text_is_shown_from_where_it_parts(one: str) -> None:
    miss_of(one, TEXT)
    changed = TEXT.replace("moon looked back", "sun looked back")
    miss = miss_of(one, changed)
    assert miss["reason"] == "text_differs"
    assert miss["text"].startswith(" sun looked back")
    assert miss["at_token"] == len(tokenize(one, TEXT[: TEXT.index(" moon looked back")]))


@pytest.mark.parametrize("fields", [{}, {"cache_salt": "of nobody else"}], ids=["open", "salted"])
def test_a_text_like_no_other_missed_nothing(one: str, fields: dict[str, str]) -> None:
    miss_of(one, TEXT)
    before = n_differing(one)
    assert miss_of(one, "Quantum physics", **fields) is None
    assert n_differing(one) == before


def n_differing(url: str) -> float:
    """Returns how many misses are counted for texts that differ."""
    families = text_string_to_metric_families(get(f"{url}/metrics").text)
    samples = [sample for family in families for sample in family.samples]
    wanted = ("llama_slots_prefix_cache_misses_total", "text_differs")
    return next((each.value for each in samples if (each.name, each.labels.get("reason")) == wanted), 0)


def test_a_text_that_goes_on_missed_nothing(one: str) -> None:
    miss_of(one, TEXT)
    assert miss_of(one, TEXT) is None
    assert miss_of(one, f"{TEXT} Then") is None


def test_a_text_that_had_to_make_room_was_evicted(one: str) -> None:
    miss_of(one, TEXT)
    miss_of(one, "Once upon a time there was something else entirely, and nobody knew what it was.")
    assert miss_of(one, TEXT)["reason"] == "evicted"


def test_a_client_does_not_learn_what_others_have_sent(one: str) -> None:
    miss_of(one, TEXT, cache_salt="mine")
    assert miss_of(one, TEXT, cache_salt="yours") is None


@pytest.mark.parametrize("reason", sorted(SECRET_REASONS))
def test_secret_reasons_are_kept(reason: Any) -> None:
    assert cache_miss_json(CacheMiss(3, reason), CompletionRequest((1, 2, 3, 4)), None) is None


def test_the_text_of_a_system_prompt_is_not_shown(one: str) -> None:
    miss_of(one, TEXT, system_prompt="You are a spy. ")
    miss_of(one, TEXT, system_prompt="You are a cook. ")
    miss = miss_of(one, TEXT, system_prompt="You are a spider. ")
    assert miss["reason"] == "text_differs"
    assert "text" not in miss


@pytest.mark.parametrize("stream", [False, True])
def test_chats_say_it_beside_their_timings(one: str, stream: bool) -> None:
    def ask(words: str) -> Any:
        body = {"messages": [{"role": "user", "content": words}], "max_tokens": 1, "stream": stream}
        response = post(one, body | {"stream_options": {"include_usage": True}}, "/v1/chat/completions")
        if not stream:
            return response.json()["cache_miss"]
        return next(line for line in response.text.splitlines() if '"cache_miss"' in line)

    ask("Tell me a story of a cat on a mat.")
    assert "text_differs" in str(ask("Tell me a story of a dog."))
