"""The prompt of a request in all its shapes, and the tokens that it stands for."""

from collections.abc import Sequence
from dataclasses import dataclass

from server.fields import as_token, expected, is_number
from server.naming import naming
from slots.errors import InvalidRequest, PromptTooLong
from slots.llama import Vocab

SHAPES = "a string, a list of token ids, a list of strings and token ids, or a list of several of these"
MAX_PROMPTS = 128

Spelled = str | list[object]


@dataclass(frozen=True, slots=True)
class Prompt:
    spelled: Spelled
    """As the request gave it."""
    tokens: tuple[int, ...]


def read_prompts(value: object, vocab: Vocab, n_ctx: int) -> list[Prompt]:
    """Returns the one prompt, or the several prompts, of a request for slots of `n_ctx` tokens.

    Raises InvalidRequest, which names the prompt, for any other shape, for tokens that the vocabulary does not have and
    for a prompt of no tokens; PromptTooLong for a list of more token ids than `n_ctx`.
    """
    if isinstance(value, list) and value and not any(is_number(part) for part in value):
        if len(value) > MAX_PROMPTS:
            message = f"expected at most {MAX_PROMPTS} prompts, since each takes a place in the queue, got {len(value)}"
            raise InvalidRequest("prompt", message)
        return [_read_one(f"prompt[{index}]", part, vocab, n_ctx) for index, part in enumerate(value)]
    return [_read_one("prompt", value, vocab, n_ctx)]


def _read_one(name: str, value: object, vocab: Vocab, n_ctx: int) -> Prompt:
    if not isinstance(value, str | list):
        raise expected(name, SHAPES, value)
    parts = [value] if isinstance(value, str) else value
    n_ids = sum(map(is_number, parts))
    if n_ids > n_ctx:
        raise PromptTooLong(n_ids, n_ctx)
    tokens = _tokenize(name, parts, vocab)
    if not tokens:
        raise InvalidRequest(name, "expected at least one token, got none")
    return Prompt(value, tokens)


def _tokenize(name: str, parts: Sequence[object], vocab: Vocab) -> tuple[int, ...]:
    """The special tokens around a text (BOS, where the model's header asks for it) come only with a text in front:
    a list that starts with a token id already says how it starts."""
    tokens: list[int] = []
    for index, part in enumerate(parts):
        if isinstance(part, str):
            with naming(name):
                tokens += vocab.tokenize(part, add_special=index == 0, parse_special=True)
        elif is_number(part):
            tokens.append(as_token(f"{name}[{index}]", part, vocab.n_tokens))
        else:
            raise expected(f"{name}[{index}]", "a string or the id of a token", part)
    return tuple(tokens)
