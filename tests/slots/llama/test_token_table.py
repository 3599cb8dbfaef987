"""All tokens are read in one pass, with the result of asking for one after the other."""

import pytest

from models.source import BUNDLED_MODEL
from slots.llama import Model, Vocab, token_table
from slots.options import ModelOptions


@pytest.fixture(scope="module")
def vocab() -> Vocab:
    return Model(ModelOptions(BUNDLED_MODEL), lambda _share: None).vocab


@pytest.fixture(params=["compiled", "not compiled"])
def _both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "compiled":
        assert token_table._IS_COMPILED, "the tests run with what setup.py builds"
    monkeypatch.setattr(token_table, "_IS_COMPILED", request.param == "compiled")


@pytest.mark.usefixtures("_both_ways")
def test_the_texts_are_those_of_the_single_tokens(vocab: Vocab) -> None:
    assert list(vocab.read_pieces()) == [vocab.piece(token) for token in range(vocab.n_tokens)]


@pytest.mark.usefixtures("_both_ways")
def test_the_control_tokens_are_those_that_are_one(vocab: Vocab) -> None:
    vocab.__dict__.pop("control_tokens", None)
    assert vocab.control_tokens == {token for token in range(vocab.n_tokens) if vocab.is_control(token)}
    assert vocab.control_tokens


@pytest.mark.usefixtures("_both_ways")
def test_texts_that_need_more_room_than_expected_get_it(vocab: Vocab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_table, "_BYTES_PER_TOKEN", 1)
    assert list(vocab.read_pieces())[-1] == vocab.piece(vocab.n_tokens - 1)
