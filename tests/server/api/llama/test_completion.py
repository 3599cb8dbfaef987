import pytest
import requests

from slots.requests.sampling_params import SamplingParams
from tests.server.http_client import SECONDS, STORY, complete, get, post, tokenize

RESULT_FIELDS = {
    *("content", "stop", "generation_settings", "model", "prompt", "stopped_eos", "stopped_limit", "stopped_word"),
    *("stopping_word", "timings", "tokens_cached", "tokens_evaluated", "truncated", "slot_id", "id_slot", "stop_type"),
    *("tokens_predicted", "tokens", "index", "has_new_line", "cache_miss"),
}
TIMINGS = {
    *("cache_n", "prompt_n", "prompt_ms", "prompt_per_token_ms", "prompt_per_second"),
    *("predicted_n", "predicted_ms", "predicted_per_token_ms", "predicted_per_second"),
}
OPTIONS = {
    *("seed", "temperature", "top_k", "top_p", "min_p", "n_predict", "stream", "stop", "repeat_penalty"),
    *("repeat_last_n", "penalize_nl", "presence_penalty", "frequency_penalty", "ignore_eos", "logit_bias", "n_probs"),
    *("cache_prompt", "n_keep", "slot_id", "n_ctx", "model", "max_tokens", "n_indent", "t_max_predict_ms", "grammar"),
    *("timings_per_token", "return_tokens", "n_cache_reuse", "cache_salt"),
    *SamplingParams.model_fields,
}


def test_result_has_every_field(server: str) -> None:
    assert complete(server).keys() == RESULT_FIELDS


def test_completions_is_the_same_endpoint(server: str) -> None:
    assert post(server, {"prompt": STORY, "n_predict": 1}, "/completions").json().keys() == RESULT_FIELDS


def test_body_may_be_called_text(server: str) -> None:
    body = '{"prompt": "Once upon a time", "n_predict": 1}'
    headers = {"Content-Type": "text/plain;charset=UTF-8"}
    response = requests.post(f"{server}/completion", data=body, headers=headers, timeout=SECONDS)
    assert response.json()["tokens_predicted"] == 1


def test_timings_count_and_measure(server: str) -> None:
    result = complete(server, n_predict=5, ignore_eos=True)
    timings = result["timings"]
    assert timings.keys() == TIMINGS
    assert (timings["cache_n"], timings["prompt_n"], timings["predicted_n"]) == (0, result["tokens_evaluated"], 5)
    # The first token comes with the prompt: its time is not measured.
    assert timings["predicted_per_second"] == pytest.approx(4 / timings["predicted_ms"] * 1000)
    assert timings["predicted_per_token_ms"] == pytest.approx(timings["predicted_ms"] / 4)
    assert timings["prompt_per_second"] > 0


def test_settings_say_every_option(server: str) -> None:
    settings = complete(server)["generation_settings"]
    assert settings.keys() >= OPTIONS
    assert settings["model"] == "bundled"
    assert settings["n_ctx"] == get(f"{server}/props").json()["default_generation_settings"]["n_ctx"]


def test_settings_say_what_was_asked_for(server: str) -> None:
    fields = {
        **{"temperature": 0.5, "top_k": 7, "top_p": 0.9, "min_p": 0.1, "n_predict": 2, "repeat_penalty": 1.2},
        **{"repeat_last_n": -1, "penalize_nl": False, "presence_penalty": 0.1, "frequency_penalty": 0.2, "seed": 5},
        **{"ignore_eos": True, "n_probs": 3, "cache_prompt": False, "n_keep": 1, "stop": ["\n"], "stream": False},
        **{"dynatemp_range": 0.1, "dynatemp_exponent": 1.5, "tfs_z": 0.9, "typical_p": 0.8, "top_n_sigma": 2.5},
        **{"xtc_probability": 0.1, "xtc_threshold": 0.2, "adaptive_target": 0.3, "adaptive_decay": 0.5, "mirostat": 2},
        **{"mirostat_tau": 4.5, "mirostat_eta": 0.2, "dry_multiplier": 0.7, "dry_base": 1.5, "min_keep": 2},
        **{"dry_allowed_length": 3, "dry_penalty_last_n": -1, "dry_sequence_breakers": ["-"], "samplers": ["top_k"]},
        **{"post_sampling_probs": True, "n_indent": 1, "t_max_predict_ms": 60_000, "timings_per_token": True},
        **{"return_tokens": True, "n_cache_reuse": 8, "cache_salt": "mine"},
    }
    settings = complete(server, **fields)["generation_settings"]
    assert {name: settings[name] for name in fields} == fields


def test_defaults_are_those_of_the_llama_like_api(server: str) -> None:
    settings = post(server, {"prompt": STORY, "n_predict": 1}).json()["generation_settings"]
    defaults = {
        **{"temperature": 0.8, "top_k": 40, "top_p": 0.95, "min_p": 0.05, "repeat_penalty": 1.1, "repeat_last_n": 64},
        **{"penalize_nl": True, "presence_penalty": 0, "frequency_penalty": 0, "ignore_eos": False, "n_probs": 0},
        **{"stop": [], "logit_bias": [], "n_keep": 0, "dynatemp_range": 0, "tfs_z": 1, "typical_p": 1, "mirostat": 0},
        **{"top_n_sigma": -1, "xtc_probability": 0, "dry_multiplier": 0, "adaptive_target": -1, "min_keep": 0},
        **{"dry_sequence_breakers": ["\n", ":", '"', "*"], "n_indent": 0, "t_max_predict_ms": 0},
        **{"cache_prompt": True, "n_cache_reuse": 0, "cache_salt": ""},
    }
    assert {name: settings[name] for name in defaults} == defaults


def test_seed_that_was_drawn_gives_the_same_text_again(server: str) -> None:
    first = complete(server, temperature=1.5, seed=-1, n_predict=16)
    seed = first["generation_settings"]["seed"]
    assert complete(server, temperature=1.5, seed=seed, n_predict=16)["content"] == first["content"]


def test_prompt_comes_back_as_the_text_of_its_tokens(server: str) -> None:
    prompt = [*tokenize(server, STORY), " there"]
    assert complete(server, prompt=prompt)["prompt"] == f"{STORY} there"


def test_n_predict_is_the_number_of_tokens(server: str) -> None:
    result = complete(server, n_predict=3, ignore_eos=True)
    assert result["tokens_predicted"] == 3
    assert (result["stopped_limit"], result["stop_type"]) == (True, "limit")
    assert not result["truncated"]


def test_n_predict_0_only_evaluates_the_prompt(server: str) -> None:
    prompt = "A cat sat in the evaluated garden"
    result = complete(server, prompt=prompt, n_predict=0)
    assert (result["content"], result["tokens_predicted"]) == ("", 0)
    assert complete(server, prompt=prompt, slot_id=result["slot_id"], cache_prompt=True)["tokens_cached"] > 0


def test_max_tokens_is_another_name_for_n_predict(server: str) -> None:
    assert complete(server, n_predict=None, max_tokens=2, ignore_eos=True)["tokens_predicted"] == 2


def test_tokens_come_when_they_are_asked_for(server: str) -> None:
    result = complete(server, return_tokens=True)
    assert len(result["tokens"]) == result["tokens_predicted"]
    assert complete(server)["tokens"] == []


def test_stop_string_ends_the_text_and_is_not_part_of_it(server: str) -> None:
    text = complete(server, n_predict=24, ignore_eos=True)["content"]
    word = text[len(text) // 2 :][:3]
    result = complete(server, n_predict=24, ignore_eos=True, stop=[word])
    assert result["content"] == text[: text.index(word)]
    assert (result["stopped_word"], result["stop_type"], result["stopping_word"]) == (True, "word", word)


def test_stop_may_be_a_single_string(server: str) -> None:
    assert complete(server, stop="never said")["generation_settings"]["stop"] == ["never said"]


def test_empty_stop_strings_are_dropped(server: str) -> None:
    assert complete(server, stop=["", "never said"])["generation_settings"]["stop"] == ["never said"]


def test_full_context_truncates(server: str) -> None:
    n_ctx = get(f"{server}/props").json()["default_generation_settings"]["n_ctx"]
    prompt = tokenize(server, "a story " * n_ctx)[: n_ctx - 4]
    result = complete(server, prompt=prompt, n_predict=64, ignore_eos=True)
    assert (result["truncated"], result["stop_type"]) == (True, "limit")


def test_same_slot_reuses_the_prompt(server: str) -> None:
    slot_id = complete(server, prompt="The same long beginning of a story about a dog", slot_id=-1)["slot_id"]
    again = complete(
        server, prompt="The same long beginning of a story about a cat", slot_id=slot_id, cache_prompt=True
    )
    assert again["slot_id"] == again["id_slot"] == slot_id
    assert 0 < again["tokens_cached"] < again["tokens_evaluated"]
    assert again["timings"]["cache_n"] == again["tokens_cached"]


def test_prompt_is_reused_unless_asked_otherwise(server: str) -> None:
    slot_id = complete(server)["slot_id"]
    assert complete(server, slot_id=slot_id, cache_prompt=None)["tokens_cached"] > 0


def test_cache_prompt_false_reuses_nothing(server: str) -> None:
    slot_id = complete(server)["slot_id"]
    assert complete(server, slot_id=slot_id, cache_prompt=False)["tokens_cached"] == 0


def test_id_slot_is_another_name_for_slot_id(server: str) -> None:
    assert complete(server, id_slot=2)["slot_id"] == 2
    assert complete(server, slot_id=1, id_slot=1)["slot_id"] == 1


def test_n_may_be_1(server: str) -> None:
    assert complete(server, n=1)["stop"]


def test_null_is_as_good_as_no_option(server: str) -> None:
    names = ("temperature", "top_k", "stop", "logit_bias", "slot_id", "stream", "n", "grammar", "seed")
    assert complete(server, **dict.fromkeys(names))["stop"]


def test_option_nobody_knows_is_ignored(server: str) -> None:
    assert complete(server, frobnicate={"deep": [1]})["stop"]


def test_whole_number_may_be_spelled_with_a_fraction(server: str) -> None:
    assert complete(server, top_k=40.0)["generation_settings"]["top_k"] == 40
