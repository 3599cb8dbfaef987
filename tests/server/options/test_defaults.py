"""Flags that set the defaults of requests."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import running_server
from tests.server.http_client import STORY, get, post

FLAGS = (
    *("--n-predict", "3", "--temp", "0", "--samplers", "top_k;temp", "--dry-sequence-breaker", r"\t", "-l", "5-inf"),
    *("--n-probs", "2", "--post-sampling-probs", "--return-tokens", "--ignore-eos", "--t-max-predict-ms", "60000"),
    *("--cache-reuse", "8", "--no-cache-prompt"),
)
DEFAULTS = {
    **{"n_predict": 3, "temperature": 0, "samplers": ["top_k", "temperature"], "dry_sequence_breakers": ["\t"]},
    **{"n_probs": 2, "post_sampling_probs": True, "return_tokens": True},
    **{"ignore_eos": True, "t_max_predict_ms": 60000, "n_cache_reuse": 8, "cache_prompt": False},
}
OTHERS = {
    **{"n_predict": 1, "temperature": 0.5, "samplers": ["min_p"], "dry_sequence_breakers": [], "logit_bias": []},
    **{"n_probs": 0, "post_sampling_probs": False, "return_tokens": False, "ignore_eos": False, "t_max_predict_ms": 0},
    **{"n_cache_reuse": 0, "cache_prompt": True},
}


@pytest.fixture(scope="module")
def tuned_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_server(tmp_path_factory.mktemp("tuned"), *FLAGS) as url:
        yield url


def settings(url: str, **options: Any) -> Any:
    return post(url, {"prompt": STORY} | options).json()["generation_settings"]


def test_request_gets_them(tuned_server: str) -> None:
    result = post(tuned_server, {"prompt": STORY}).json()
    assert len(result["tokens"]) == len(result["completion_probabilities"]) == 3
    assert {name: result["generation_settings"][name] for name in DEFAULTS} == DEFAULTS


def test_request_that_says_otherwise_does_not(tuned_server: str) -> None:
    options = settings(tuned_server, **OTHERS)
    assert {name: options[name] for name in OTHERS} == OTHERS


def test_null_is_the_default(tuned_server: str) -> None:
    options = settings(tuned_server, **dict.fromkeys(DEFAULTS))
    assert {name: options[name] for name in DEFAULTS} == DEFAULTS


def test_props_tell_them(tuned_server: str) -> None:
    params = get(f"{tuned_server}/props").json()["default_generation_settings"]["params"]
    assert {name: params[name] for name in DEFAULTS} == DEFAULTS


def test_biases_follow_those_of_ignored_ends(tuned_server: str) -> None:
    *ends, last = settings(tuned_server)["logit_bias"]
    assert last == {"token": 5, "bias": False}
    assert ends
    assert all(end["bias"] is None for end in ends)


@pytest.mark.parametrize(("n_predict", "n_tokens"), [(-1, 3), (2, 2), (5, 5)])
def test_a_request_without_a_limit_has_that_of_the_flag(tuned_server: str, n_predict: int, n_tokens: int) -> None:
    result = post(tuned_server, {"prompt": STORY, "n_predict": n_predict}).json()
    assert (result["generation_settings"]["n_predict"], result["tokens_predicted"]) == (n_tokens, n_tokens)
