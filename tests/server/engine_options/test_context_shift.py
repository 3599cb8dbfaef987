"""A server with context shift."""

from collections.abc import Iterator

import pytest

from tests.conftest import running_server
from tests.server.http_client import STORY, complete, get, get_error, post, stream, tokenize

N_CTX = 256


@pytest.fixture(scope="module")
def shifting_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    flags = ("--context-shift", "--parallel", "2", "--ctx-size", str(2 * N_CTX))
    with running_server(tmp_path_factory.mktemp("shifting"), *flags) as url:
        yield url


def test_generation_goes_on_beyond_the_end(shifting_server: str) -> None:
    result = complete(shifting_server, n_predict=600, ignore_eos=True)
    assert result["tokens_predicted"] == 600
    assert (result["truncated"], result["stop_type"]) == (True, "limit")


def test_generation_that_fits_is_not_truncated(shifting_server: str) -> None:
    assert not complete(shifting_server, n_predict=8)["truncated"]


@pytest.mark.parametrize("as_tokens", [False, True])
def test_prompt_longer_than_the_context_is_cut(shifting_server: str, *, as_tokens: bool) -> None:
    text = "a story " * 1000
    tokens = tokenize(shifting_server, text)
    result = complete(shifting_server, prompt=tokens if as_tokens else text, n_predict=4, ignore_eos=True)
    assert result["truncated"]
    assert result["tokens_evaluated"] < N_CTX < len(tokens)
    assert result["tokens_predicted"] == 4


def test_events_of_a_stream_count_the_prompt_as_it_was_cut(shifting_server: str) -> None:
    *chunks, last = stream(shifting_server, prompt="a story " * 1000, n_predict=4, ignore_eos=True)
    assert {chunk["tokens_evaluated"] for chunk in chunks} == {last["tokens_evaluated"]}


def test_tokens_of_a_long_prompt_are_still_checked(shifting_server: str) -> None:
    error = get_error(post(shifting_server, {"prompt": [1] * 1000 + [10**6]}))
    assert (error["code"], error["message"][:32]) == (400, "prompt[1000]: expected the id of")


def test_system_prompt_needs_room_all_the_same(shifting_server: str) -> None:
    error = get_error(post(shifting_server, {"prompt": STORY, "system_prompt": "word " * 300}))
    assert (error["code"], error["message"][:14]) == (400, "system_prompt:")


def test_server_goes_on_after_the_longest_prompt_it_takes(shifting_server: str) -> None:
    assert complete(shifting_server, prompt=[5] * 1_000_000, n_predict=1)["truncated"]
    assert get(f"{shifting_server}/health").ok


def test_fewer_discarded_tokens_leave_more_of_the_text(shifting_server: str) -> None:
    def n_in_context(n_discard: int) -> int:
        result = complete(shifting_server, n_predict=N_CTX, ignore_eos=True, n_discard=n_discard)
        assert result["generation_settings"]["n_discard"] == n_discard
        [slot] = [s for s in get(f"{shifting_server}/slots").json() if s["id"] == result["id_slot"]]
        return int(slot["n_cached_tokens"])

    assert n_in_context(8) > n_in_context(0)
