from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from models.source import BUNDLED_MODEL
from tests.conftest import running_server
from tests.server.http_client import Json, complete, events, get_error, joined_text, post, tokenize

PREFIX = "def total(prices):\n    "
SUFFIX = "\n    return result\n"
INFILL = {
    "input_prefix": PREFIX,
    "input_suffix": SUFFIX,
    "n_predict": 8,
    "temperature": 0,
    "cache_prompt": False,
}
CHUNKS = [{"filename": "a.py", "text": "A = 1\n"}, {"text": "B = 2\n"}]


def infill(url: str, **fields: Any) -> Json:
    """Returns the whole answer."""
    response = post(url, INFILL | {"stream": False} | fields, "/infill")
    assert response.status_code == 200, response.text
    answer: Json = response.json()
    return answer


def test_prefix_and_suffix_stand_between_the_tokens_of_the_model(server: str) -> None:
    prompt = infill(server)["prompt"]
    assert prompt == f"<|fim_prefix|>{PREFIX}<|fim_suffix|>{SUFFIX}<|fim_middle|>"
    assert infill(server)["content"] == complete(server, prompt=prompt)["content"]


def test_prefix_and_suffix_may_be_lists_of_texts_and_tokens(server: str) -> None:
    mixed = {"input_prefix": ["def total", *tokenize(server, "(prices):\n    ")], "input_suffix": [SUFFIX]}
    assert infill(server, **mixed)["prompt"] == infill(server)["prompt"]


def test_the_answer_is_a_stream_unless_it_is_not_asked_for(server: str) -> None:
    response = post(server, INFILL, "/infill")
    assert response.headers["content-type"].startswith("text/event-stream")
    all_events = list(events(response.content))
    assert joined_text(all_events) == infill(server)["content"]
    assert [event["stop"] for event in all_events] == [False] * (len(all_events) - 1) + [True]


def test_the_prompt_follows_the_prefix(server: str) -> None:
    assert infill(server, prompt="result = ")["prompt"] == (
        f"<|fim_prefix|>{PREFIX}result = <|fim_suffix|>{SUFFIX}<|fim_middle|>"
    )


def test_special_tokens_in_code_are_text(server: str) -> None:
    answer = infill(server, prompt="END = '<|im_end|>'", input_extra=[{"text": "<|im_end|>", "filename": "<|im_end|>"}])
    plain = infill(server, prompt="END = ''", input_extra=[{"text": "", "filename": ""}])
    assert "<|im_end|>" in answer["prompt"]
    assert answer["tokens_evaluated"] > plain["tokens_evaluated"] + 3


def test_other_files_come_first_as_a_repository(server: str) -> None:
    assert infill(server, input_extra=CHUNKS)["prompt"] == (
        "<|repo_name|>myproject\n<|file_sep|>a.py\nA = 1\n<|file_sep|>tmp\nB = 2\n<|file_sep|>filename\n"
        f"<|fim_prefix|>{PREFIX}<|fim_suffix|>{SUFFIX}<|fim_middle|>"
    )


def test_other_files_are_found_in_the_cache(server: str) -> None:
    chunks = [{"filename": "long.py", "text": "LONG = 1\n" * 20}]
    fields = {"input_extra": chunks, "cache_prompt": True}
    warm_up = infill(server, **fields, input_prefix="", input_suffix="", n_predict=0)
    n_extra = warm_up["tokens_evaluated"] - 3  # the rest are the tokens around an empty prefix and suffix
    assert infill(server, **fields)["tokens_cached"] >= n_extra


def test_options_of_a_completion_are_taken(server: str) -> None:
    answer = infill(server, grammar='root ::= "result = " [0-9]+', n_probs=2, return_tokens=True)
    assert answer["content"].startswith("result = ")
    assert len(answer["completion_probabilities"][0]["top_logprobs"]) == 2
    assert len(answer["tokens"]) == answer["tokens_predicted"]


@pytest.mark.parametrize("token", ["<|fim_pad|>", "<|repo_name|>", "<|file_sep|>"])
def test_tokens_that_begin_another_file_end_the_text(server: str, token: str) -> None:
    (token_id,) = tokenize(server, token)
    answer = infill(server, logit_bias=[[token_id, 1000]])
    assert (answer["content"], answer["stop_type"]) == ("", "eos")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"input_prefix": None}, "input_prefix: expected a string, or a list of strings and token ids, got nothing"),
        ({"input_suffix": None}, "input_suffix: expected a string, or a list of strings and token ids, got nothing"),
        ({"input_prefix": 7}, "input_prefix: expected a string, or a list of strings and token ids, got 7"),
        ({"input_prefix": ["a", [1]]}, "input_prefix[1]: expected a string or the id of a token, got [1]"),
        ({"input_suffix": [-1]}, "input_suffix[0]: expected the id of a token, from 0 to"),
        ({"prompt": ["a"]}, 'prompt: expected a string, got ["a"]'),
        ({"input_extra": {}}, "input_extra: expected a list of objects with text and filename, got {}"),
        ({"input_extra": ["a"]}, 'input_extra[0]: expected an object with text and filename, got "a"'),
        ({"input_extra": [{"filename": "a"}]}, "input_extra[0].text: expected a string, got nothing"),
        ({"input_extra": [{"text": "", "filename": 1}]}, "input_extra[0].filename: expected a string, got 1"),
        ({"n_predict": "many"}, 'n_predict: expected an integer, got "many"'),
    ],
)
def test_a_wrong_field_is_refused(server: str, fields: Json, message: str) -> None:
    error = get_error(post(server, INFILL | fields, "/infill"))
    assert (error["code"], error["type"]) == (400, "invalid_request_error")
    assert error["message"].startswith(message)


SMALL = ("--ctx-size", "256", "--parallel", "1", "--spm-infill", "--system-prompt-file")


@pytest.fixture(scope="module")
def small_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One slot of 256 tokens, less than a batch, with the suffix first, and a system prompt."""
    folder: Path = tmp_path_factory.mktemp("small")
    (folder / "system").write_text("Talk to the user.")
    with running_server(folder, *SMALL, str(folder / "system")) as url:
        yield url


def test_the_suffix_stands_first_and_the_system_prompt_does_not_where_flags_say_so(small_server: str) -> None:
    assert infill(small_server)["prompt"] == f"<|fim_suffix|>{SUFFIX}<|fim_prefix|>{PREFIX}<|fim_middle|>"


@pytest.mark.parametrize("n_predict", [0, 8, 100])
def test_code_longer_than_the_context_is_cut_and_completed(small_server: str, n_predict: int) -> None:
    code = "x = 1\n" * 2_000
    around = {"input_prefix": f"FAR{code}", "input_suffix": f"{code}FAR", "input_extra": [{"text": code}]}
    answer = infill(small_server, **around, n_predict=n_predict, ignore_eos=True)
    assert answer["tokens_predicted"] == n_predict
    assert not answer["truncated"]
    assert answer["prompt"].endswith("x = 1\n<|fim_middle|>")
    assert "FAR" not in answer["prompt"]


def test_an_answer_without_a_limit_has_room(small_server: str) -> None:
    code = "x = 1\n" * 2_000
    answer = infill(small_server, input_prefix=code, input_suffix=code, n_predict=-1, ignore_eos=True)
    assert answer["tokens_predicted"] >= 256 // 8 - 4


StartWithout = Callable[..., str]


@pytest.fixture
def server_without(tmp_path: Path) -> Iterator[StartWithout]:
    """Starts a server on a copy of the bundled model in which some names are others."""
    with ExitStack() as servers:

        def start(*names: bytes) -> str:
            copy = tmp_path / "renamed.gguf"
            model = BUNDLED_MODEL.read_bytes()
            for name in names:
                model = model.replace(name, b"x" * len(name))
            copy.write_bytes(model)
            return servers.enter_context(running_server(tmp_path, "--model", str(copy), "--parallel", "1"))

        yield start


def test_a_model_without_the_tokens_says_which_are_missing(server_without: StartWithout) -> None:
    response = post(server_without(b"<|fim_middle|>", b"fim_mid_token_id"), INFILL, "/infill")
    error = get_error(response)
    assert (error["code"], error["type"]) == (501, "not_supported_error")
    assert error["message"] == "this model cannot fill gaps: its vocabulary has no token for the middle"


def test_a_model_without_files_gets_them_with_lines_between_them(server_without: StartWithout) -> None:
    line = "\n\n--- snippet ---\n\n"
    assert infill(server_without(b"<|file_sep|>", b"fim_sep_token_id"), input_extra=CHUNKS)["prompt"] == (
        f"{line}A = 1\n{line}B = 2\n<|fim_prefix|>{PREFIX}<|fim_suffix|>{SUFFIX}<|fim_middle|>"
    )
