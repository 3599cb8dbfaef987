"""Speculative decoding over HTTP."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from server.generation.completion_output import timings_json
from slots.options import SpeculationOptions
from slots.requests.events import Timings
from tests.conftest import running_server
from tests.server.cli.flag_parsing import get_error as flags_error_of
from tests.server.cli.flag_parsing import parse_flags
from tests.server.http_client import complete, get, post, refusal, stream
from tests.server.program import run_failing

REPEATING = {"prompt": "One day, Tom saw a red ball. " * 8, "n_predict": 48, "ignore_eos": True}


@pytest.fixture(scope="module")
def speculating(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    exact = ("--cache-type-k", "f32", "--cache-type-v", "f32", "--flash-attn", "off")
    with running_server(tmp_path_factory.mktemp("server"), "--spec-type", "ngram", "--parallel", "2", *exact) as url:
        yield url


def test_texts_are_the_same(speculating: str) -> None:
    plain = complete(speculating, **REPEATING, **{"speculative.n_max": 0})
    assert all(complete(speculating, **REPEATING)["content"] == plain["content"] for _ in range(4))


def test_slots_tell_whether_they_speculate(server: str, speculating: str) -> None:
    assert [slot["speculative"] for slot in get(f"{speculating}/slots").json()] == [True, True]
    assert not any(slot["speculative"] for slot in get(f"{server}/slots").json())


def test_a_request_says_how_many_tokens_are_guessed_at_once(speculating: str) -> None:
    for fields, n_max in (({}, -1), ({"speculative.n_max": 0}, 0), ({"speculative.n_max": 3}, 3)):
        answer = complete(speculating, **REPEATING, **fields)
        assert answer["generation_settings"]["speculative.n_max"] == n_max
    assert "draft_n" not in complete(speculating, **REPEATING, **{"speculative.n_max": 0})["timings"]


def test_results_name_the_sources_of_drafts_as_llama_cpp_does(server: str, speculating: str) -> None:
    for url, types in ((speculating, "ngram-simple"), (server, "none")):
        assert complete(url)["generation_settings"]["speculative.types"] == types
        assert get(f"{url}/props").json()["default_generation_settings"]["params"]["speculative.types"] == types


@pytest.mark.parametrize("value", [-2, 1.5, "3", True, [1]])
def test_anything_else_is_refused(server: str, value: object) -> None:
    assert refusal(server, **{"speculative.n_max": value}).startswith("speculative.n_max: expected ")


@pytest.mark.parametrize("path", ["/v1/completions", "/v1/chat/completions", "/infill"])
def test_all_dialects_take_it(speculating: str, path: str) -> None:
    fields: dict[str, Any] = {"prompt": "Once", "messages": [{"role": "user", "content": "Hi"}], "input_prefix": "a"}
    fields |= {"input_suffix": "b", "max_tokens": 4}
    assert post(speculating, fields | {"speculative.n_max": 2}, path).ok
    response = post(speculating, fields | {"speculative.n_max": -5}, path)
    assert response.status_code == 400
    assert "speculative.n_max" in response.json()["error"]["message"]


def test_guesses_are_told_where_there_were_some() -> None:
    timings = Timings(0, 1, 1.0, 10, 1.0, draft_n=8, draft_n_accepted=5)
    n_max = timings_json(timings)
    assert (n_max["draft_n"], n_max["draft_n_accepted"]) == (8, 5)
    assert not {"draft_n", "draft_n_accepted"} & timings_json(Timings(0, 1, 1.0, 10, 1.0, 0, 0)).keys()


def test_streams_have_one_event_for_each_token(speculating: str) -> None:
    *chunks, last = stream(speculating, **REPEATING, timings_per_token=True)
    assert [chunk["timings"]["predicted_n"] for chunk in chunks] == list(range(1, 49))
    assert last["timings"]["predicted_n"] == 48


@pytest.mark.parametrize(
    ("flags", "options"),
    [
        ("", SpeculationOptions()),
        ("--spec-type none", SpeculationOptions()),
        ("--spec-type ngram", SpeculationOptions(("ngram",))),
        ("--spec-type ngram-simple,ngram", SpeculationOptions(("ngram",))),
        ("-md draft.gguf", SpeculationOptions(("draft-simple",), draft_file=Path("draft.gguf"))),
        ("-md draft.gguf --spec-type none", SpeculationOptions(draft_file=Path("draft.gguf"))),
        (
            "--spec-type ngram-simple,draft-simple --spec-draft-model draft.gguf",
            SpeculationOptions(("ngram", "draft-simple"), draft_file=Path("draft.gguf")),
        ),
        (
            "--spec-ngram-simple-size-n 4 --spec-ngram-simple-size-m 9 --spec-draft-n-max 5 --spec-draft-n-min 2",
            SpeculationOptions(ngram_size=4, ngram_draft=9, draft_n_max=5, draft_n_min=2),
        ),
        (
            "--spec-draft-p-min 0.75 -ngld 3 -td 1 -ctkd f32 -ctvd q8_0",
            SpeculationOptions(
                draft_p_min=0.75,
                draft_gpu_layers=3,
                draft_threads=1,
                draft_cache_type_k="f32",
                draft_cache_type_v="q8_0",
            ),
        ),
    ],
)
def test_flags_say_how_tokens_are_guessed(flags: str, options: SpeculationOptions) -> None:
    configuration = parse_flags(*flags.split())
    source = configuration.draft_source
    assert configuration.engine_options(source.model_file if source else None).speculation == options


def test_variables_say_the_same() -> None:
    environ = {"LLAMA_ARG_SPEC_TYPE": "ngram-simple", "LLAMA_ARG_SPEC_DRAFT_P_MIN": "0.5"}
    assert parse_flags(environ=environ).engine.speculation == SpeculationOptions(("ngram",), draft_p_min=0.5)


def test_the_hub_has_draft_models_as_well() -> None:
    source = parse_flags("-hfd", "user/draft:Q8_0", "-hft", "secret", "--offline").draft_source
    assert source
    assert (source.repository, source.hub_file) == ("user/draft:Q8_0", None)
    assert (source.token, source.offline) == ("secret", True)
    file = parse_flags("-hfd", "user/draft", "-md", "small.gguf").draft_source
    assert file
    assert (file.repository, file.hub_file, file.model_file) == ("user/draft", "small.gguf", None)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            "--spec-type ngram-mod",
            "argument --spec-type: expected none, or some of ngram, ngram-simple, draft-simple with commas between "
            "them, got 'ngram-mod'",
        ),
        (
            "--spec-type draft-simple",
            "--spec-type draft-simple: expected -md/--model-draft or -hfd/--hf-repo-draft with it, got none",
        ),
        (
            "--spec-draft-p-min 2",
            "argument --spec-draft-p-min/--draft-p-min: expected a number from 0 to 1, got '2'",
        ),
    ],
)
def test_flags_that_ask_for_something_else_are_refused(
    capsys: pytest.CaptureFixture[str], flags: str, message: str
) -> None:
    assert flags_error_of(capsys, *flags.split()) == message


def test_a_draft_model_that_is_not_there_ends_the_program_with_a_line() -> None:
    assert run_failing("--model-draft", "missing.gguf").endswith("missing.gguf does not exist")
