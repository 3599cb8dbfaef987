"""POST /rerank: the relevance of documents to a query, in Jina's format, or in that of Text Embeddings Inference for
bodies with `texts`."""

import re
from dataclasses import dataclass

from server.api.embeddings.endpoint import EmbeddingQuery
from server.api.embeddings.inputs import check_length
from server.api.embeddings.protocol import DOCUMENTS, RerankRequestBody
from server.http.errors import ApiError
from server.http.fields import Fields, invalid_value, naming_field
from server.settings import Settings
from slots.embedding.pooling import Embedding
from slots.embedding.request import EmbeddingRequest
from slots.engine import Engine
from slots.llama import Vocab

PLACEHOLDERS = re.compile(r"\{(query|document)\}")


class RerankPrompt:
    """Joins a query with documents, by the template in the model's header or with special tokens between them."""

    def __init__(self, vocab: Vocab, template: str | None, query: str) -> None:
        self._vocab = vocab
        self._template = template
        self._query = query
        self._query_tokens = [] if template else self._tokenize("query", query)

    def tokens(self, name: str, document: str) -> tuple[int, ...]:
        """Returns the tokens of the query and a document. Raises InvalidRequest, which names the field, for one that
        cannot be tokenized."""
        if self._template is not None:
            parts = {"query": self._query, "document": document}
            text = PLACEHOLDERS.sub(lambda found: parts[found[1]], self._template)
            return tuple(self._tokenize(name, text, parse_special=True))
        vocab = self._vocab
        end = vocab.sep if vocab.eos is None else vocab.eos
        first = _if(vocab.add_bos, vocab.bos)
        last = _if(vocab.add_eos, end)
        separator = last + _if(vocab.add_sep, vocab.sep)
        return (*first, *self._query_tokens, *separator, *self._tokenize(name, document), *last)

    def _tokenize(self, name: str, text: str, *, parse_special: bool = False) -> list[int]:
        with naming_field(name):
            return self._vocab.tokenize(text, add_special=False, parse_special=parse_special)


def _if(is_added: bool, token: int | None) -> list[int]:
    return [token] if is_added and token is not None else []


def read_rerank(fields: Fields, engine: Engine, settings: Settings) -> EmbeddingQuery:
    """Returns what the body asks for. Raises InvalidRequest, and ApiError (501) if the server does not rank."""
    if engine.pooling != "rank":
        raise ApiError(501, "This server does not support reranking. Start it with `--reranking`")
    body = RerankRequestBody.parse(fields, engine)
    is_tei = body.documents is None and body.texts is not None
    name, documents = ("texts", body.texts) if is_tei else ("documents", body.documents)
    if documents is None:
        raise invalid_value(name, DOCUMENTS, None)
    prompt = RerankPrompt(engine.vocab, settings.rerank_template, body.query)
    texts = [_tokens(f"{name}[{index}]", document, prompt, engine) for index, document in enumerate(documents)]
    request = EmbeddingRequest(tuple(texts), name)
    top_n = len(documents) if body.top_n is None else body.top_n
    ranking = _Ranking(documents, top_n, body.return_text if is_tei else body.return_documents)
    adapters = body.choose_adapters(engine, settings.model_names)
    if is_tei:
        return EmbeddingQuery(request, adapters, ranking.format_tei)
    name = body.served_name(engine, settings.model_names)
    return EmbeddingQuery(request, adapters, lambda scores: ranking.format_jina(scores, name, request.n_tokens))


def _tokens(name: str, document: str, prompt: RerankPrompt, engine: Engine) -> tuple[int, ...]:
    tokens = prompt.tokens(name, document)
    check_length(name, len(tokens), engine)  # at once, since each has the whole query in it
    return tokens


@dataclass(frozen=True, slots=True)
class _Ranking:
    documents: list[str]
    top_n: int
    shows_documents: bool

    def format_jina(self, embeddings: list[Embedding], model: str, n_tokens: int) -> object:
        results = [
            {"index": index, "relevance_score": score}
            | ({"document": {"text": self.documents[index]}} if self.shows_documents else {})
            for index, score in self._best(embeddings)
        ]
        usage = {"prompt_tokens": n_tokens, "total_tokens": n_tokens}
        return {"model": model, "object": "list", "usage": usage, "results": results}

    def format_tei(self, embeddings: list[Embedding]) -> object:
        return [
            {"index": index, "score": score} | ({"text": self.documents[index]} if self.shows_documents else {})
            for index, score in self._best(embeddings)
        ]

    def _best(self, embeddings: list[Embedding]) -> list[tuple[int, float]]:
        """Returns the indices of the best documents and their scores, the best first."""
        scores = [(index, float(score[0])) for index, score in enumerate(embeddings)]
        return sorted(scores, key=lambda each: -each[1])[: self.top_n]
