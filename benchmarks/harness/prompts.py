"""Prompts that no server has seen before."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from benchmarks.harness.client import Prompts

PartT = TypeVar("PartT")

TEXT = (Path(__file__).parents[2] / "docs" / "samplers.md").read_text()
"""Ordinary words, and so ordinary tokens: some 10,000, of which a full batch needs 2,048."""


class PromptTokens(Prompts[list[int]]):
    """Prompts of ordinary tokens in random order, and of texts."""

    def __init__(
        self, ordinary: Sequence[int], seed: Sequence[int], tokenize: Callable[[str], list[int]] | None = None
    ) -> None:
        """`tokenize` is needed for texts only."""
        super().__init__(seed)
        self._ordinary = np.unique(ordinary)
        self._tokenize = tokenize

    def draw(self, n_tokens: int) -> list[int]:
        tokens: list[int] = self.random.choice(self._ordinary, n_tokens).tolist()
        return tokens

    def cut(self, text: str, n_tokens: int) -> list[int]:
        assert self._tokenize is not None
        return _cut(self._tokenize(text), n_tokens)


WORDS = """
    the and that with said they then there when what very little big old new good red blue happy friend friends girl
    boy dog cat bird tree house home day sun water ball play run walk see look find help love like time mom dad park
"""
"""Each is one token in most vocabularies."""


class PromptWords(Prompts[str]):
    """Prompts of words in random order."""

    def draw(self, n_tokens: int) -> str:
        return "".join(f" {word}" for word in self.random.choice(WORDS.split(), n_tokens))

    def cut(self, text: str, n_tokens: int) -> str:
        return "".join(_cut(re.findall(r"\s*\S+", text), n_tokens))


def _cut(parts: list[PartT], n_parts: int) -> list[PartT]:
    if len(parts) < n_parts:
        raise ValueError(f"the text has {len(parts)} tokens, {n_parts} are needed")
    return parts[:n_parts]


ENDLESS_SCHEMA = {
    "type": "array",
    "minItems": 1000,
    "items": {
        "type": "object",
        "properties": {
            "name": {"type": "string", "minLength": 1, "maxLength": 24},
            "age": {"type": "integer", "minimum": 0, "maximum": 120},
            "email": {"type": "string", "pattern": "^[a-z]{1,12}@[a-z]{1,12}[.](com|org|net)$"},
            "likes": {"type": "array", "items": {"type": "string", "maxLength": 16}, "minItems": 1, "maxItems": 3},
            "role": {"enum": ["farmer", "teacher", "doctor", None]},
            "is_member": {"type": "boolean"},
        },
        "required": ["name", "age", "email", "likes", "role", "is_member"],
        "additionalProperties": False,
    },
}
