"""Completions whose text has to match something."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from pydantic import BaseModel

from tests.server.http_client import SECONDS, STORY, Json, complete, get, joined_text, open_stream, stream, tokenize

GBNF = """
root ::= word ("-" word){2} # three of them
word ::= [a-f]{1,3} | "ü€"
"""
GBNF_AS_REGEX = r"([a-f]{1,3}|ü€)(-([a-f]{1,3}|ü€)){2}"
SCHEMA = {
    "type": "object",
    "properties": {"zeal": {"type": "integer", "minimum": 0, "maximum": 9}, "age": {"enum": ["old", "young"]}},
    "required": ["zeal", "age"],
    "additionalProperties": False,
}
COLORS = ["red", "green", "dark green", "blé"]
WRAPPED = {"type": "json_schema", "json_schema": {"name": "it", "strict": True, "schema": SCHEMA}}


def is_word(text: str) -> bool:
    return re.fullmatch(GBNF_AS_REGEX, text) is not None


def is_date(text: str) -> bool:
    return re.fullmatch(r"[0-9]{4}-[0-9]{2}", text) is not None


def is_color(text: str) -> bool:
    return text in COLORS


def is_person(text: str) -> bool:
    person = json.loads(text)
    return list(person) == ["zeal", "age"] and 0 <= person["zeal"] <= 9 and person["age"] in ("old", "young")


SPELLINGS: list[tuple[str, Any, Any]] = [
    ("grammar", GBNF, is_word),
    ("guided_grammar", GBNF, is_word),
    ("json_schema", SCHEMA, is_person),
    ("guided_json", SCHEMA, is_person),
    ("guided_json", json.dumps(SCHEMA, indent=1), is_person),
    ("response_format", WRAPPED, is_person),
    ("response_format", {"type": "json_object", "schema": SCHEMA}, is_person),
    ("response_format", {"type": "json_schema", "schema": SCHEMA}, is_person),
    ("regex", "[0-9]{4}-[0-9]{2}", is_date),
    ("guided_regex", "[0-9]{4}-[0-9]{2}", is_date),
    ("choice", COLORS, is_color),
    ("guided_choice", COLORS, is_color),
    ("structured_outputs", {"choice": COLORS}, is_color),
    ("structured_outputs", {"regex": "[0-9]{4}-[0-9]{2}", "json": None}, is_date),
    ("structured_outputs", {"json": SCHEMA}, is_person),
    ("structured_outputs", {"grammar": GBNF}, is_word),
]
each_spelling = pytest.mark.parametrize(("field", "value", "matches"), SPELLINGS)


def constrained(url: str, **fields: Any) -> Json:
    """Returns a result that is not cut."""
    result: Json = complete(url, **{"n_predict": 1000, "seed": 1} | fields)
    assert (result["stopped_eos"], result["stop_type"]) == (True, "eos")
    return result


@each_spelling
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_text_matches(server: str, field: str, value: Any, matches: Any, temperature: float) -> None:
    for seed in range(5):
        content = constrained(server, temperature=temperature, seed=seed, **{field: value})["content"]
        assert matches(content), content


@each_spelling
def test_stream_matches(server: str, field: str, value: Any, matches: Any) -> None:
    events = stream(server, n_predict=1000, temperature=1.0, seed=1, **{field: value})
    assert matches(joined_text(events)), events
    assert events[-1]["stop_type"] == "eos"


@each_spelling
def test_each_of_several_prompts_matches(server: str, field: str, value: Any, matches: Any) -> None:
    results = complete(server, prompt=[STORY, "The cat"], n_predict=1000, temperature=1.0, seed=1, **{field: value})
    assert len(results) == 2
    assert all(matches(result["content"]) for result in results)


@pytest.mark.parametrize("schema", [{}, True])
def test_schema_that_says_nothing_is_any_json(server: str, schema: object) -> None:
    for seed in range(3):
        result = complete(server, json_schema=schema, n_predict=200, temperature=1.0, seed=seed)
        if result["stopped_eos"]:
            json.loads(result["content"])
        else:
            assert result["stop_type"] == "limit"


@pytest.mark.parametrize("more", [{}, {"schema": None}, {"schema": {}}, {"schema": True}])
def test_json_object_is_an_object(server: str, more: Json) -> None:
    result = complete(server, response_format={"type": "json_object"} | more, n_predict=3)
    assert result["content"].startswith("{")
    assert result["generation_settings"]["json_schema"] == {"type": "object"}


def test_json_object_of_structured_outputs_is_an_object(server: str) -> None:
    assert complete(server, structured_outputs={"json_object": True}, n_predict=3)["content"].startswith("{")


@pytest.mark.parametrize(
    "fields",
    [
        {"grammar": ""},
        {"guided_grammar": ""},
        {"response_format": {"type": "text"}},
        {"structured_outputs": {"json_object": False}},
        dict.fromkeys(field for field, _, _ in SPELLINGS),
    ],
)
def test_what_asks_for_nothing_changes_nothing(server: str, fields: Json) -> None:
    assert complete(server, **fields)["content"] == complete(server)["content"]


@pytest.mark.parametrize("neutral", [{"grammar": ""}, {"response_format": {"type": "text"}}, {"regex": None}])
def test_what_asks_for_nothing_may_stand_beside_what_does(server: str, neutral: Json) -> None:
    assert constrained(server, choice=COLORS, **neutral)["content"] in COLORS


@pytest.mark.parametrize(
    ("fields", "reported"),
    [
        ({"grammar": GBNF}, {"grammar": GBNF}),
        ({"guided_grammar": GBNF}, {"grammar": GBNF}),
        ({"json_schema": SCHEMA}, {"grammar": "", "json_schema": SCHEMA}),
        ({"response_format": WRAPPED}, {"grammar": "", "json_schema": SCHEMA}),
        ({"guided_json": json.dumps(SCHEMA, indent=1)}, {"grammar": "", "json_schema": SCHEMA}),
        ({"regex": "a|b"}, {"grammar": "", "regex": "a|b"}),
        ({"guided_choice": COLORS}, {"grammar": "", "choice": COLORS}),
        ({}, {"grammar": ""}),
    ],
)
def test_result_and_end_of_stream_say_what_was_asked(server: str, fields: Json, reported: Json) -> None:
    for result in (complete(server, n_predict=1, **fields), stream(server, n_predict=1, **fields)[-1]):
        settings = result["generation_settings"]
        assert {name: settings[name] for name in reported} == reported
        assert not ({"json_schema", "regex", "choice"} - reported.keys()) & settings.keys()


def test_result_says_the_members_in_their_order(server: str) -> None:
    reported = complete(server, n_predict=1, json_schema=SCHEMA)["generation_settings"]["json_schema"]
    assert list(reported["properties"]) == ["zeal", "age"]


@pytest.mark.parametrize(
    "secret",
    [
        {"grammar": 'root ::= ("secret" [a-z])+'},
        {"json_schema": {"enum": ["secret" * 1000]}},
        {"regex": "(secret[a-z])+"},
        {"choice": ["secret" * 1000]},
    ],
)
def test_slots_do_not_show_it(server: str, secret: Json) -> None:
    with open_stream(server, prompt="a", **secret):
        slots = get(f"{server}/slots")
    assert any(slot["is_processing"] for slot in slots.json())
    assert "secret" not in slots.text


class Animal(BaseModel):
    name: str
    legs: int


class Farm(BaseModel):
    is_open: bool
    animals: list[Animal]


def test_pydantic_model_makes_a_schema(server: str) -> None:
    schema = Farm.model_json_schema()
    schema["properties"]["animals"]["maxItems"] = 2
    schema["$defs"]["Animal"]["properties"]["name"]["maxLength"] = 8
    schema["$defs"]["Animal"]["properties"]["legs"] |= {"minimum": 0, "maximum": 8}
    Farm.model_validate_json(constrained(server, json_schema=schema, temperature=1.0)["content"])


def test_limit_that_cuts_says_so(server: str) -> None:
    result = complete(server, n_predict=3, grammar="root ::= [a-z]{200}")
    assert (result["stopped_limit"], result["stop_type"], result["stopped_eos"]) == (True, "limit", False)
    assert re.fullmatch("[a-z]{3,199}", result["content"])


def test_text_ends_where_nothing_more_may_come(server: str) -> None:
    result = complete(server, n_predict=200, ignore_eos=True, choice=["red"])
    assert (result["content"], result["stop_type"]) == ("red", "eos")


def test_stop_string_cuts_it(server: str) -> None:
    result = complete(server, n_predict=200, regex="[0-9]{2}-[a-z]{3}", stop=["-"])
    assert re.fullmatch("[0-9]{2}", result["content"])
    assert (result["stop_type"], result["stopping_word"]) == ("word", "-")


def test_characters_of_several_bytes_are_whole(server: str) -> None:
    content = constrained(server, regex="[α-ω]{3}[😀-😅]{2}", temperature=1.0)["content"]
    assert re.fullmatch("[α-ω]{3}[😀-😅]{2}", content)


def test_special_tokens_are_not_taken_for_their_text(server: str) -> None:
    result = constrained(server, choice=["<|im_start|>"], return_tokens=True)
    assert result["content"] == "<|im_start|>"
    assert len(result["tokens"]) > 1


def test_only_tokens_that_match_have_probabilities_after_sampling(server: str) -> None:
    options: Json = {"temperature": 1.0, "n_probs": 20, "post_sampling_probs": True, "top_k": 0, "top_p": 1, "min_p": 0}
    positions = constrained(server, regex="[0-9]{6}", **options)["completion_probabilities"]
    for position in positions:
        assert all(re.fullmatch("[0-9]+", top["token"]) for top in position["top_probs"])
        assert position["prob"] > 0
    assert sum(top["prob"] for top in positions[0]["top_probs"]) > 0.9


def test_tokens_have_probabilities_of_the_model_before_sampling(server: str) -> None:
    free = complete(server, n_predict=1, n_probs=5)["completion_probabilities"][0]["top_logprobs"]
    position = complete(server, n_predict=1, n_probs=5, regex="[0-9]{6}")["completion_probabilities"][0]
    assert [top["id"] for top in position["top_logprobs"]] == [top["id"] for top in free]
    assert position["id"] not in [top["id"] for top in free]


@pytest.mark.parametrize(("ruled_out", "left"), [("a", "b"), ("b", "a")])
def test_logit_bias_chooses_among_what_matches(server: str, ruled_out: str, left: str) -> None:
    assert constrained(server, regex="[ab]", logit_bias=[[ruled_out, False]])["content"] == left


def test_logit_bias_for_what_does_not_match_changes_nothing(server: str) -> None:
    assert constrained(server, regex="[ab]", logit_bias=[["z", 1000]])["content"] in ("a", "b")


@pytest.mark.parametrize(
    "options",
    [
        {"mirostat": 1},
        {"mirostat": 2},
        {"top_k": 1},
        {"samplers": []},
        {"samplers": ["min_p", "temperature"]},
        {"dry_multiplier": 1.0, "repeat_penalty": 2.0},
        {"xtc_probability": 1.0},
        {"typical_p": 0.5, "tfs_z": 0.5, "top_n_sigma": 1.0},
        {"samplers": ["top_k", "adaptive_p"], "adaptive_target": 0.5},
    ],
)
def test_text_matches_whatever_the_samplers(server: str, options: Json) -> None:
    for seed in range(3):
        content = constrained(server, json_schema=SCHEMA, temperature=1.5, seed=seed, **options)["content"]
        assert is_person(content), content


def test_many_different_ones_side_by_side(server: str) -> None:
    def ask(n: int) -> bool:
        body = {"prompt": STORY, "n_predict": 200, "temperature": 1.0, "regex": f"{n}:[a-z]{{{n},{n + 5}}}"}
        response = requests.post(f"{server}/completion", json=body, timeout=SECONDS)
        return re.fullmatch(f"{n}:[a-z]{{{n},{n + 5}}}", response.json()["content"]) is not None

    with ThreadPoolExecutor(12) as pool:
        assert all(pool.map(ask, range(1, 25)))


def test_free_texts_beside_it_stay_as_they_are(server: str) -> None:
    alone = complete(server, n_predict=32)["content"]
    with open_stream(server, regex="([a-z]{3} )*"):
        assert complete(server, n_predict=32)["content"] == alone


def test_prompt_is_reused_and_text_still_matches(server: str) -> None:
    prompt = "The miller had three sons, and each of them had a cat. What was the name of the third cat?"
    for n_reused in (0, len(tokenize(server, prompt)) - 1):
        options = {"prompt": prompt, "cache_prompt": True, "cache_salt": "of this test"}
        result = constrained(server, json_schema=SCHEMA, **options)
        assert result["timings"]["cache_n"] == n_reused
        assert is_person(result["content"])


def test_same_seed_gives_the_same_text(server: str) -> None:
    texts = {constrained(server, grammar=GBNF, temperature=1.0, seed=7)["content"] for _ in range(2)}
    assert len(texts) == 1
