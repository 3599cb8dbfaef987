"""Grammars that force long stretches of tokens, and the same without forcing."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from grammar.matcher import CompiledGrammar
from grammar.source import GrammarSource, Kind
from slots.llama import Batch, Context, Logits
from slots.sampling import Sampler
from tests.slots.engine_runner import EngineRunner

CODE = "Q7X9Z4J8K2W5V3Y6"
"""A text that can be cut into tokens in one way only. Most cannot: to begin "The" with a "T" is a choice."""


def compiled(runner: EngineRunner, text: str, kind: Kind = "gbnf") -> CompiledGrammar:
    """A grammar for the model of an engine."""
    return runner.engine.grammars.compile(GrammarSource(kind, text))


@contextmanager
def forcing_nothing() -> Iterator[None]:
    """Every token is chosen, also where there is no choice."""
    with patch.object(Sampler, "take_forced", lambda _self, _least, _most: []):
        yield


@contextmanager
def batch_sizes() -> Iterator[list[int]]:
    """The number of tokens of each batch that is computed."""
    sizes: list[int] = []
    decode = Context.decode

    def count(self: Context, batch: Batch) -> Logits:
        sizes.append(batch.n_tokens)
        return decode(self, batch)

    with patch.object(Context, "decode", count):
        yield sizes
