"""A query and a document as the one text that a model scores."""

import re

from server.http.fields import naming
from slots.llama import Vocab

PLACES = re.compile(r"\{(query|document)\}")


class RerankPrompt:
    """Joins a query with documents, by the template in the model's header or with special tokens between them."""

    def __init__(self, vocab: Vocab, template: str | None, query: str) -> None:
        self._vocab = vocab
        self._template = template
        self._query = query
        self._query_tokens = [] if template else self._tokenize("query", query)

    def tokens(self, name: str, document: str) -> tuple[int, ...]:
        """Returns the tokens of the query and a document. Raises InvalidRequest for one that cannot be tokenized, under
        the name of its field."""
        if self._template is not None:
            parts = {"query": self._query, "document": document}
            text = PLACES.sub(lambda place: parts[place[1]], self._template)
            return tuple(self._tokenize(name, text, parse_special=True))
        vocab = self._vocab
        end = vocab.sep if vocab.eos is None else vocab.eos
        first = _if(vocab.add_bos, vocab.bos)
        last = _if(vocab.add_eos, end)
        between = last + _if(vocab.add_sep, vocab.sep)
        return (*first, *self._query_tokens, *between, *self._tokenize(name, document), *last)

    def _tokenize(self, name: str, text: str, *, parse_special: bool = False) -> list[int]:
        with naming(name):
            return self._vocab.tokenize(text, add_special=False, parse_special=parse_special)


def _if(is_added: bool, token: int | None) -> list[int]:
    return [token] if is_added and token is not None else []
