"""Inputs of embeddings: every shape in which a request may give texts."""

from server.chat.media_parts import TextParts
from server.chat.messages import read_content
from server.generation.prompts import tokenize_mixed, unwrap_prompt
from server.http.errors import ApiError
from server.http.fields import Fields, invalid_value, is_list_of_several, naming_field
from slots.embedding.request import EmbeddingRequest, text_too_long
from slots.engine import Engine
from slots.errors import InvalidRequest
from slots.llama import Vocab

SHAPES = (
    "a string, a list of token ids and strings, an object with content or prompt_string, or a list of several of these"
)
SCHEMA = {
    "type": ["string", "array", "object"],
    "items": {"type": ["string", "integer", "array", "object"]},
    "properties": {"prompt_string": {"type": "string"}, "content": {"type": ["string", "array"]}},
}
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
    text = _unwrap(name, value)
    if not isinstance(text, str | list):
        raise invalid_value(name, SHAPES, value)
    if isinstance(text, list):
        check_length(name, len(text), engine)
    tokens = _tokenize(name, text, engine.vocab)
    if not tokens:
        raise InvalidRequest(name, "expected a text that is not empty")
    return tokens


def _unwrap(name: str, value: object) -> object:
    """Returns the text of an object: the parts of its content, joined, or its prompt."""
    if isinstance(value, dict) and "content" in value:
        return _join_parts(name, value)
    return unwrap_prompt(name, value)


def _join_parts(name: str, value: Fields) -> str:
    content = read_content(f"{name}.content", value["content"])
    if isinstance(content, TextParts) and content.media:
        raise ApiError(501, f"{content.media[0].source.name}: images and sounds are not supported, only text is")
    return "".join(content.parts) if isinstance(content, TextParts) else content


def _tokenize(name: str, text: str | list[object], vocab: Vocab) -> tuple[int, ...]:
    """Special tokens are added around a string, and before one that begins a list."""
    if isinstance(text, str):
        with naming_field(name):
            return tuple(vocab.tokenize(text, add_special=True, parse_special=True))

    def tokenize(index: int, part: str) -> list[int]:
        with naming_field(name):
            return vocab.tokenize(part, add_special=index == 0, parse_special=True)

    return tuple(tokenize_mixed(name, text, vocab, tokenize))
