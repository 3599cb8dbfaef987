import math

from tests.server.http_client import complete, stream


def test_each_token_has_its_probabilities_in_both_spellings(server: str) -> None:
    result = complete(server, n_predict=4, n_probs=3, ignore_eos=True, return_tokens=True)
    positions = result["completion_probabilities"]
    assert [position["id"] for position in positions] == result["tokens"]
    for position in positions:
        assert position.keys() == {"content", "probs", "id", "token", "bytes", "logprob", "top_logprobs"}
        assert position["content"] == position["token"] == bytes(position["bytes"]).decode(errors="replace")
        assert len(position["probs"]) == len(position["top_logprobs"]) == 3


def test_both_spellings_say_the_same(server: str) -> None:
    for position in complete(server, n_predict=4, n_probs=3)["completion_probabilities"]:
        for old, new in zip(position["probs"], position["top_logprobs"], strict=True):
            assert old["tok_str"] == new["token"]
            assert math.isclose(old["prob"], math.exp(new["logprob"]))


def test_most_likely_token_comes_first_and_is_taken_at_temperature_0(server: str) -> None:
    for position in complete(server, n_predict=4, n_probs=3, repeat_penalty=1)["completion_probabilities"]:
        probabilities = [top["prob"] for top in position["probs"]]
        assert probabilities == sorted(probabilities, reverse=True)
        assert position["top_logprobs"][0]["id"] == position["id"]


def test_token_that_is_ruled_out_has_a_finite_logprob(server: str) -> None:
    token = complete(server, n_predict=1, return_tokens=True)["tokens"][0]
    result = complete(server, n_predict=1, n_probs=128, logit_bias=[[token, False]])
    for position in result["completion_probabilities"]:
        assert all(isinstance(top["logprob"], float) for top in position["top_logprobs"])


def test_chunks_carry_the_probabilities_of_their_token(server: str) -> None:
    *chunks, last = stream(server, n_probs=2)
    assert [chunk["completion_probabilities"][0]["id"] for chunk in chunks] == [chunk["tokens"][0] for chunk in chunks]
    assert "completion_probabilities" not in last


def test_none_unless_asked_for(server: str) -> None:
    assert "completion_probabilities" not in complete(server)
