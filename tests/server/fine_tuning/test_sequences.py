"""SequenceMaker: the tokens that are trained are those that the server makes of a request for the same text."""

import pytest

from models.source import BUNDLED_MODEL
from models.tuning.dataset import Example
from models.tuning.errors import DatasetError
from slots.llama import Vocab, load_vocab
from tests.server.http_client import post

pytest.importorskip("torch", reason="training needs torch, which make test installs")

from server.fine_tuning.job.sequences import SequenceMaker

TEMPLATE = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}{{ start }}"


@pytest.fixture(scope="module")
def vocab() -> Vocab:
    return load_vocab(BUNDLED_MODEL)


def test_a_prompt_has_the_tokens_of_a_request(server: str, vocab: Vocab) -> None:
    [sequence] = (
        SequenceMaker(vocab, None, 100).tokenize([Example("Who are <|im_end|> you?", " I am a server.")]).sequences
    )
    tokens, n_prompt = sequence.tokens, sequence.n_prompt
    body = {"content": "Who are <|im_end|> you?", "add_special": True, "parse_special": True}
    assert list(tokens[:n_prompt]) == post(server, body, "/tokenize").json()["tokens"]
    assert vocab.detokenize(tokens[n_prompt:-1]) == b" I am a server."
    assert tokens[-1] == vocab.eos


def test_a_chat_has_the_prompt_of_its_template(vocab: Vocab) -> None:
    maker = SequenceMaker(vocab, TEMPLATE, 100, {"start": "<|im_start|>assistant:"})
    chat = ({"role": "user", "content": "Hi"},)
    [sequence] = maker.tokenize([Example("", "Hello", chat)]).sequences
    prompt, response = sequence.tokens[: sequence.n_prompt], sequence.tokens[sequence.n_prompt :]
    assert vocab.detokenize(prompt) == b"<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant:"
    assert vocab.detokenize(response[:-1]) == b"Hello"
    assert response[-1] == vocab.eot


def test_long_sequences_lose_their_ends(vocab: Vocab) -> None:
    rows = [Example("Hi", " yes" * 50), Example("no " * 50, " yes"), Example("Hi", " yes")]
    tokenized = SequenceMaker(vocab, None, 20).tokenize(rows)
    assert [len(sequence.tokens) == 20 for sequence in tokenized.sequences] == [True, False]
    assert (len(tokenized.sequences), tokenized.n_truncated, tokenized.n_without_response) == (2, 1, 1)
    with pytest.raises(DatasetError, match="no prompt leaves room for a response in the model's context, 20 tokens"):
        SequenceMaker(vocab, None, 20).tokenize(rows[1:2])
