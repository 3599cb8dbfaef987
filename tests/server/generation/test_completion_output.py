import pytest

from server.generation.completion_output import CompletionOutput
from server.generation.prompts import Prompt
from slots.errors import InvalidRequest
from slots.requests.events import PositionLogprobs, Token, TokenLogprob
from slots.requests.request import CompletionRequest
from slots.requests.sampling_params import SamplingParams

LIKELY = TokenLogprob(1, -0.5)
TOKEN = Token(1, "a", 0, PositionLogprobs(LIKELY, (LIKELY,)), None)


def make_output() -> CompletionOutput:
    return CompletionOutput(0, Prompt("a", (1,), 0), CompletionRequest((1,), SamplingParams(n_probs=1)))


def test_tokens_add_up() -> None:
    output = make_output()
    output.append(TOKEN)
    output.append(TOKEN)
    assert (output.content, output.tokens, output.n_tokens, len(output.logprobs)) == ("aa", [1, 1], 2, 2)


def test_what_is_counted_is_not_kept() -> None:
    output = make_output()
    output.count(TOKEN)
    assert (output.content, output.tokens, output.n_tokens, output.logprobs) == ("", [], 1, [])


@pytest.mark.parametrize(("limit", "field"), [("MAX_TOKENS", "n_predict"), ("MAX_CANDIDATES", "n_probs")])
def test_no_answer_grows_without_end(monkeypatch: pytest.MonkeyPatch, limit: str, field: str) -> None:
    monkeypatch.setattr(f"server.generation.completion_output.{limit}", 2)
    output = make_output()
    output.append(TOKEN)
    output.append(TOKEN)
    with pytest.raises(InvalidRequest, match=f"^{field}: expected at most 2 "):
        output.append(TOKEN)


def test_a_stream_may_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.generation.completion_output.MAX_TOKENS", 2)
    output = make_output()
    for _ in range(10):
        output.count(TOKEN)
    assert output.n_tokens == 10
