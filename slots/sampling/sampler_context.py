"""What samplers know of the model."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from grammar.matcher import Matcher
from slots.llama import Vocab
from slots.requests.sampling_params import SamplingParams
from slots.sampling.logits.candidates import Candidates
from slots.sampling.sequence_breakers import SequenceBreakerFinder, SequenceBreakers


def _no_text(_token: int) -> bytes:
    return b""


def _no_breakers(_strings: Sequence[str]) -> SequenceBreakers:
    return SequenceBreakers(())


@dataclass(frozen=True, slots=True)
class SamplerContext:
    """The same for all requests; a sampler is given it with the options of its request."""

    n_vocab: int
    n_ctx: int
    """Most tokens of a text."""
    newline: int | None = None
    """The token of a line end."""
    end_token: int | None = None
    """The token that ends a turn or, where a model has none, a text."""
    end_of_generation: Collection[int] = ()
    """All tokens that end a text."""
    suppressed: Collection[int] = ()
    """Tokens that the model's header rules out."""
    output_bytes: Callable[[int], bytes] = _no_text
    """The text of a token; nothing for one that steers the model."""
    find_sequence_breakers: Callable[[Sequence[str]], SequenceBreakers] = _no_breakers
    """The tokens of sequence breakers."""

    @classmethod
    def for_model(cls, vocab: Vocab, n_ctx: int) -> Self:
        """Those of a loaded model, with texts of at most `n_ctx` tokens."""
        return cls(
            n_vocab=vocab.n_tokens,
            n_ctx=n_ctx,
            newline=vocab.newline,
            end_token=vocab.eos if vocab.eot is None else vocab.eot,
            end_of_generation=vocab.end_of_generation,
            suppressed=vocab.suppressed,
            output_bytes=vocab.output_bytes,
            find_sequence_breakers=SequenceBreakerFinder(vocab).find,
        )


LogitsProcessor = Callable[[Candidates], None]
"""A sampler with its options and, if it has one, its state: changes candidates or takes some away."""


@dataclass(frozen=True, slots=True)
class SamplerInputs:
    """A request's options and prompt, the model that it is for, and its own random generator.

    Each sampler's file has a function that makes it of these, or returns None where the options ask for nothing of it,
    so that it costs nothing either.
    """

    params: SamplingParams
    prompt: Sequence[int]
    context: SamplerContext
    rng: np.random.Generator
    matcher: Matcher | None = None
    """Where the request is in its grammar, if it has one."""

    @property
    def has_fixed_temperature(self) -> bool:
        """Whether the temperature does not follow the entropy, which it never does with Mirostat."""
        return self.params.dynatemp_range == 0 or self.params.mirostat > 0

    def banned_tokens(self) -> set[int]:
        """The tokens that must not come."""
        ends = self.context.end_of_generation if self.params.ignore_eos else ()
        biased = (token for token, bias in self.params.logit_bias if bias == -np.inf)
        return {*self.context.suppressed, *ends, *biased}
