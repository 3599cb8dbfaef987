"""Prompts that no server has seen before."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.harness.client import Prompts

TEXT = (Path(__file__).parents[2] / "docs" / "samplers.md").read_text()
"""Ordinary words, and so ordinary tokens: some 10,000, of which a full batch needs 2,048."""


class PromptTokens(Prompts[list[int]]):
    """Prompts of ordinary tokens in random order."""

    def __init__(self, ordinary: Sequence[int], seed: Sequence[int]) -> None:
        super().__init__(seed)
        self._ordinary = np.unique(ordinary)

    def draw(self, n_tokens: int) -> list[int]:
        tokens: list[int] = self.random.choice(self._ordinary, n_tokens).tolist()
        return tokens


WORDS = """
    the and that with said they then there when what very little big old new good red blue happy friend friends girl
    boy dog cat bird tree house home day sun water ball play run walk see look find help love like time mom dad park
"""
"""Each is one token in most vocabularies."""


class PromptWords(Prompts[str]):
    """Prompts of words in random order."""

    def draw(self, n_tokens: int) -> str:
        return "".join(f" {word}" for word in self.random.choice(WORDS.split(), n_tokens))


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
