from typing import Any

import pytest

from server.options.sampler_order import LETTERS
from slots.requests.sampling_params import SamplerName
from tests.server.http_client import complete, refusal

DEFAULT = ["penalties", "dry", "top_n_sigma", "top_k", "tfs_z", "typ_p", "top_p", "min_p", "xtc", "temperature"]
WILD = {"temperature": 5.0, "top_p": 1, "min_p": 0, "repeat_penalty": 1, "ignore_eos": True, "n_predict": 16, "seed": 1}
"""Far from greedy unless a sampler holds it back."""


def samplers_of(server: str, samplers: Any) -> list[str]:
    settings = complete(server, samplers=samplers, n_predict=1)["generation_settings"]
    return [str(sampler) for sampler in settings["samplers"]]


@pytest.mark.parametrize("samplers", [None, DEFAULT, "edskfypmxt"])
def test_default_order_has_all_samplers_but_two(server: str, samplers: Any) -> None:
    assert samplers_of(server, samplers) == DEFAULT


@pytest.mark.parametrize("sampler", SamplerName)
def test_each_sampler_has_a_name_and_a_letter(server: str, sampler: SamplerName) -> None:
    [letter] = [letter for letter, meant in LETTERS.items() if meant is sampler]
    assert samplers_of(server, [sampler]) == samplers_of(server, letter) == [sampler]


@pytest.mark.parametrize(
    ("spellings", "name"),
    [
        (["top_k", "top-k", "topk", "TOP_K", "Top-K"], "top_k"),
        (["top_p", "top-p", "topp", "nucleus"], "top_p"),
        (["min_p", "min-p", "minp"], "min_p"),
        (["top_n_sigma", "top-n-sigma", "topnsigma"], "top_n_sigma"),
        (["typ_p", "typ-p", "typp", "typ", "typical", "typical_p", "typical-p", "typicalp"], "typ_p"),
        (["tfs_z", "tfs-z", "tfsz", "tfs", "tail_free", "tail-free"], "tfs_z"),
        (["adaptive_p", "adaptive-p", "adaptivep"], "adaptive_p"),
        (["temperature", "temp", "Temperature"], "temperature"),
    ],
)
def test_names_have_several_spellings(server: str, spellings: list[str], name: str) -> None:
    assert samplers_of(server, spellings) == [name] * len(spellings)


@pytest.mark.parametrize("samplers", [[], ""])
def test_no_samplers_at_all(server: str, samplers: Any) -> None:
    assert samplers_of(server, samplers) == []


@pytest.mark.parametrize(
    ("samplers", "message"),
    [
        (["top_k", "best"], f'samplers: expected names out of {", ".join(SamplerName)}, got "best"'),
        (["top_k", 5], f"samplers: expected names out of {', '.join(SamplerName)}, got 5"),
        ([["top_k"]], f'samplers: expected names out of {", ".join(SamplerName)}, got ["top_k"]'),
        (5, "samplers: expected a list of names or a string of letters, got 5"),
        ({"top_k": 1}, 'samplers: expected a list of names or a string of letters, got {"top_k":1}'),
        (["top_k"] * 17, "samplers: expected at most 16, got 17"),
    ],
)
def test_anything_else_is_refused(server: str, samplers: Any, message: str) -> None:
    assert refusal(server, samplers=samplers) == message


def test_unknown_letter_is_refused_with_those_there_are(server: str) -> None:
    message = refusal(server, samplers="kz")
    assert message.startswith("samplers: expected letters out of e (penalties), d (dry), ")
    assert message.endswith(', got "z"')


def test_sampler_in_the_order_is_applied(server: str) -> None:
    greedy = complete(server, **WILD | {"temperature": 0})["content"]
    assert complete(server, **WILD, top_k=1, samplers=["top_k"])["content"] == greedy


def test_sampler_that_is_not_in_the_order_is_not_applied(server: str) -> None:
    greedy = complete(server, **WILD | {"temperature": 0})["content"]
    assert complete(server, **WILD, top_k=1, samplers=["temperature"])["content"] != greedy
