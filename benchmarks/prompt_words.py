"""Prompts of words, for servers that take no tokens."""

from benchmarks.harness.client import Prompts

WORDS = """
    the and that with said they then there when what very little big old new good red blue happy friend friends girl
    boy dog cat bird tree house home day sun water ball play run walk see look find help love like time mom dad park
"""
"""Each is one token in most vocabularies."""


class PromptWords(Prompts[str]):
    """Words in random order, the same ones for the same seed."""

    def take(self, n_tokens: int) -> str:
        return "".join(f" {word}" for word in self.random.choice(WORDS.split(), n_tokens))
