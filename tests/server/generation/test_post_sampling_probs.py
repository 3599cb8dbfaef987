import math

from tests.server.http_client import complete, stream

ASKED = {"n_probs": 5, "post_sampling_probs": True, "n_predict": 4, "ignore_eos": True}


def test_positions_have_probabilities_instead_of_their_logarithms(server: str) -> None:
    for position in complete(server, **ASKED)["completion_probabilities"]:
        assert position.keys() == {"content", "probs", "id", "token", "bytes", "prob", "top_probs"}
        assert all(top.keys() == {"id", "token", "bytes", "prob"} for top in position["top_probs"])


def test_both_spellings_say_the_same(server: str) -> None:
    for position in complete(server, **ASKED, temperature=1)["completion_probabilities"]:
        old = [(top["tok_str"], top["prob"]) for top in position["probs"]]
        assert old == [(top["token"], top["prob"]) for top in position["top_probs"]]


def test_chunks_have_them_too(server: str) -> None:
    *chunks, _ = stream(server, **ASKED)
    assert all("top_probs" in chunk["completion_probabilities"][0] for chunk in chunks)


def test_only_what_the_samplers_left_is_there(server: str) -> None:
    for position in complete(server, **ASKED, temperature=1, top_k=3)["completion_probabilities"]:
        assert 1 <= len(position["top_probs"]) <= 3
        assert all(top["prob"] > 0 for top in position["top_probs"])


def test_what_the_samplers_left_adds_up_to_1(server: str) -> None:
    for position in complete(server, **ASKED, temperature=1, top_k=3)["completion_probabilities"]:
        assert math.isclose(sum(top["prob"] for top in position["top_probs"]), 1, abs_tol=1e-6)
        assert position["prob"] in [top["prob"] for top in position["top_probs"]]


def test_token_that_alone_is_left_is_certain(server: str) -> None:
    for position in complete(server, **ASKED, temperature=1, top_k=1)["completion_probabilities"]:
        assert math.isclose(position["prob"], 1)
        assert [top["id"] for top in position["top_probs"]] == [position["id"]]


def test_nothing_is_told_without_n_probs(server: str) -> None:
    assert "completion_probabilities" not in complete(server, post_sampling_probs=True)
