"""Grammars that force long stretches of tokens, and what shows that they do."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from grammar.matcher import CompiledGrammar
from grammar.source import GrammarSource, Kind
from slots.llama import Batch, Context, Logits
from slots.sampling import Sampler
from tests.slots.engine_runner import EngineRunner

CODE = "Q7X9Z4J8K2W5V3Y6"
"""A text with only one tokenization. Most have several: "The" can begin with the token "T"."""


def compiled(runner: EngineRunner, text: str, kind: Kind = "gbnf") -> CompiledGrammar:
    """A grammar for the model of an engine."""
    return runner.engine.grammars.compile(GrammarSource(kind, text))


@contextmanager
def forcing_nothing() -> Iterator[None]:
    """Every token is sampled, also if the grammar allows only one."""
    with patch.object(Sampler, "accept_forced", lambda _self, _least, _most: []):
        yield


@contextmanager
def batch_sizes() -> Iterator[list[int]]:
    """Collects the number of tokens of each batch."""
    sizes: list[int] = []
    decode = Context.decode

    def count(self: Context, batch: Batch) -> Logits:
        sizes.append(batch.n_tokens)
        return decode(self, batch)

    with patch.object(Context, "decode", count):
        yield sizes
