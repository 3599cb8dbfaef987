"""Sampler context and inputs: what the samplers of a request are built from."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from slots.llama import Vocab
from slots.requests.sampling_params import SamplingParams
from slots.sampling.logits.candidates import Candidates
from slots.sampling.logits.random_numbers import Random
from slots.sampling.matching.token_matcher import TokenMatcher
from slots.sampling.sequence_breakers import SequenceBreakerFinder, SequenceBreakers


def _no_bytes(_token: int) -> bytes:
    return b""


def _no_breakers(_strings: Sequence[str]) -> SequenceBreakers:
    return SequenceBreakers(())


@dataclass(frozen=True, slots=True)
class SamplerContext:
    """Facts about the model that samplers need, the same for all requests."""

    n_vocab: int
    n_ctx: int  # maximum length of a sequence, in tokens
    newline: int | None = None
    end_token: int | None = None  # end of turn or, if the model has none, end of text
    end_of_generation: Collection[int] = ()
    suppressed: Collection[int] = ()  # tokens that the model file forbids
    output_bytes: Callable[[int], bytes] = _no_bytes  # empty for control tokens
    find_sequence_breakers: Callable[[Sequence[str]], SequenceBreakers] = _no_breakers

    @classmethod
    def for_model(cls, vocab: Vocab, n_ctx: int) -> Self:
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
"""A sampler with its options and state: changes the logits of candidates, or removes some candidates."""


@dataclass(frozen=True)
class SamplerInputs:
    """What a `make_...` function builds a request's sampler from."""

    params: SamplingParams
    prompt: Sequence[int]
    context: SamplerContext
    rng: Random
    matcher: TokenMatcher | None = None

    @property
    def has_fixed_temperature(self) -> bool:
        """False for a temperature that follows the entropy, which it never does with Mirostat."""
        return self.params.dynatemp_range == 0 or self.params.mirostat > 0

    @property
    def has_penalties(self) -> bool:
        params = self.params
        is_neutral = (params.repeat_penalty, params.presence_penalty, params.frequency_penalty) == (1.0, 0.0, 0.0)
        return params.repeat_last_n != 0 and not is_neutral

    @cached_property
    def banned_tokens(self) -> frozenset[int]:
        ends = self.context.end_of_generation if self.params.ignore_eos else ()
        biased = (token for token, bias in self.params.logit_bias if bias == -np.inf)
        return frozenset({*self.context.suppressed, *ends, *biased})
