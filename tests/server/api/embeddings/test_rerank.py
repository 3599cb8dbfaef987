"""POST /rerank, as Jina and Text Embeddings Inference spell it."""

from pathlib import Path
from typing import Any

import pytest

from models.source import BUNDLED_MODEL
from server.api.embeddings.rerank import RerankPrompt
from slots.llama import Model, Vocab
from slots.options import ModelOptions
from tests.server.api.embeddings.embedding_client import post_error, post_ok
from tests.server.program import run_failing as refused_program
from tests.slots.embedding.embedding_models import write_encoder

QUERY = "the panda"
DOCUMENTS = ["the sea", "panda bear", "fox dog", "once"]


@pytest.mark.parametrize("path", ["/rerank", "/v1/rerank", "/reranking", "/v1/reranking"])
def test_documents_are_sorted_by_their_score(ranker: str, path: str) -> None:
    answer = post_ok(ranker, path, query=QUERY, documents=DOCUMENTS)
    assert (answer["object"], answer["model"]) == ("list", "ranker")
    assert answer["usage"]["prompt_tokens"] == answer["usage"]["total_tokens"] > 0
    scores = [each["relevance_score"] for each in answer["results"]]
    assert scores == sorted(scores, reverse=True)
    assert sorted(each["index"] for each in answer["results"]) == [0, 1, 2, 3]


def test_a_score_belongs_to_its_document_whatever_stands_beside_it(ranker: str) -> None:
    together = post_ok(ranker, "/rerank", query=QUERY, documents=DOCUMENTS)["results"]
    for each in together:
        [alone] = post_ok(ranker, "/rerank", query=QUERY, documents=[DOCUMENTS[each["index"]]])["results"]
        assert alone["relevance_score"] == pytest.approx(each["relevance_score"], rel=1e-4)


def test_the_best_documents_can_be_asked_for_with_their_text(ranker: str) -> None:
    everything = post_ok(ranker, "/rerank", query=QUERY, documents=DOCUMENTS)["results"]
    fields = {"query": QUERY, "documents": [{"text": text} for text in DOCUMENTS], "top_n": 2, "return_documents": True}
    best = post_ok(ranker, "/rerank", **fields)["results"]
    assert [each["index"] for each in best] == [each["index"] for each in everything[:2]]
    assert [each["document"]["text"] for each in best] == [DOCUMENTS[each["index"]] for each in best]


def test_texts_are_answered_as_text_embeddings_inference_does(ranker: str) -> None:
    jina = post_ok(ranker, "/rerank", query=QUERY, documents=DOCUMENTS)["results"]
    tei = post_ok(ranker, "/rerank", query=QUERY, texts=DOCUMENTS, return_text=True)
    assert [(each["index"], each["score"]) for each in tei] == [
        (each["index"], each["relevance_score"]) for each in jina
    ]
    assert tei[0]["text"] == DOCUMENTS[tei[0]["index"]]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"documents": ["a"]}, "query: expected a string"),
        ({"query": "a"}, "documents: expected a list of documents, got nothing"),
        ({"query": "a", "documents": []}, "documents: expected a list of documents"),
        ({"query": "a", "documents": ["a", 5]}, "documents[1]: expected a string"),
        ({"query": "a", "texts": [{"text": 5}]}, "texts[0].text: expected a string"),
        ({"query": "a", "documents": ["a"], "top_n": 0}, "top_n: expected 1 or more"),
        ({"query": "a", "documents": ["a", "fox " * 95]}, "documents[1]: has 98 tokens"),
        # Not all are tokenized before the first is refused: each has a query in it that may be long.
        ({"query": "fox " * 95, "documents": ["a", "a" * 1_000_001]}, "documents[0]: has 98 tokens"),
    ],
)
def test_what_cannot_be_ranked_is_refused_by_name(ranker: str, fields: dict[str, Any], words: str) -> None:
    assert post_error(ranker, "/rerank", **fields)["message"].startswith(words)


def test_a_server_that_ranks_does_nothing_else(ranker: str) -> None:
    assert "--reranking" in post_error(ranker, "/v1/embeddings", 501, input="a")["message"]
    assert "only ranks documents" in post_error(ranker, "/completion", 501, prompt="a")["message"]


def test_another_server_says_how_to_start_one_that_ranks(server: str) -> None:
    assert "Start it with `--reranking`" in post_error(server, "/v1/rerank", 501, query="a", documents=["a"])["message"]


def test_a_model_without_a_head_cannot_rank(tmp_path: Path) -> None:
    assert "expected a model with a head that scores texts" in refused_program("--reranking")
    model = write_encoder(tmp_path / "model.gguf")
    assert "expected a model with a head that scores texts" in refused_program("-m", str(model), "--pooling", "rank")


@pytest.fixture(scope="module")
def vocab() -> Vocab:
    return Model(ModelOptions(BUNDLED_MODEL), lambda _share: None).vocab


def test_a_template_of_the_header_joins_query_and_document(vocab: Vocab) -> None:
    prompt = RerankPrompt(vocab, "<|im_start|>Q: {query} D: {document}<|im_end|>", "a {document} b")
    expected = vocab.tokenize(
        "<|im_start|>Q: a {document} b D: {query}<|im_end|>", add_special=False, parse_special=True
    )
    assert prompt.tokens("documents[0]", "{query}") == tuple(expected)


def test_special_tokens_stand_between_query_and_document(tmp_path: Path) -> None:
    vocab = Model(ModelOptions(write_encoder(tmp_path / "model.gguf")), lambda _share: None).vocab
    query, document = (vocab.tokenize(text, add_special=False, parse_special=False) for text in ("the panda", "sea"))
    assert RerankPrompt(vocab, None, "the panda").tokens("documents[0]", "sea") == (
        vocab.bos,
        *query,
        vocab.sep,
        *document,
    )
