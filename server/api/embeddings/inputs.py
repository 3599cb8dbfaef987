"""Inputs of embeddings: every shape in which a request may give texts."""

from server.http.fields import as_token, invalid_value, is_list_of_several, naming_field
from slots.embedding.request import EmbeddingRequest, text_too_long
from slots.engine import Engine
from slots.errors import InvalidRequest

SHAPES = "a string, a list of token ids, or a list of several of these"
SCHEMA = {"type": ["string", "array"], "items": {"type": ["string", "integer", "array"]}}
MAX_TEXTS = 2048
"""OpenAI's limit."""


def read_texts(name: str, value: object, engine: Engine) -> EmbeddingRequest:
    """Returns the texts to embed; special tokens are added around a string, if the model's header asks for them.

    Raises InvalidRequest, which names the text, for any other shape, too many texts, empty ones, and token ids outside
    the vocabulary; PromptTooLong for a list of more token ids than a text may have.
    """
    if is_list_of_several(value):
        check_count(name, len(value))
        return EmbeddingRequest(
            tuple(_read_text(f"{name}[{index}]", part, engine) for index, part in enumerate(value)), name
        )
    return EmbeddingRequest((_read_text(name, value, engine),), name)


def check_count(name: str, n_texts: int) -> None:
    """Raises InvalidRequest for too many texts, before anything is tokenized."""
    if n_texts > MAX_TEXTS:
        raise InvalidRequest(name, f"expected at most {MAX_TEXTS} texts, got {n_texts}")


def check_length(name: str, n_tokens: int, engine: Engine) -> None:
    """Raises PromptTooLong for more tokens than a text may have, early: before each token is looked at, or further
    texts are tokenized."""
    if n_tokens > engine.max_embedding_tokens:
        raise text_too_long(n_tokens, engine.max_embedding_tokens, name)


def _read_text(name: str, value: object, engine: Engine) -> tuple[int, ...]:
    vocab = engine.vocab
    if isinstance(value, str) and value:
        with naming_field(name):
            return tuple(vocab.tokenize(value, add_special=True, parse_special=True))
    if isinstance(value, list) and value:
        check_length(name, len(value), engine)
        return tuple(as_token(f"{name}[{index}]", token, vocab.n_tokens) for index, token in enumerate(value))
    if value in ("", []):
        raise InvalidRequest(name, "expected a text that is not empty")
    raise invalid_value(name, SHAPES, value)
