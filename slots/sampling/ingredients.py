"""What samplers are made of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from grammar.matcher import Matcher
from slots.requests.sampling_params import SamplingParams
from slots.sampling.logits.candidates import Candidates
from slots.sampling.sampler_context import Surroundings

Step = Callable[[Candidates], None]
"""A sampler with its options and, if it has one, its state: changes candidates or takes some away."""


@dataclass(frozen=True, slots=True)
class Ingredients:
    """A request's options and prompt, the model that it is for, and its own random generator.

    Each sampler's file has a function that makes it of these, or returns None where the options ask for nothing of it,
    so that it costs nothing either.
    """

    params: SamplingParams
    prompt: Sequence[int]
    surroundings: Surroundings
    random: np.random.Generator
    matcher: Matcher | None = None
    """Where the request is in its grammar, if it has one."""

    @property
    def has_fixed_temperature(self) -> bool:
        """Whether the temperature does not follow the entropy, which it never does with Mirostat."""
        return self.params.dynatemp_range == 0 or self.params.mirostat > 0

    def ruled_out(self) -> set[int]:
        """The tokens that must not come."""
        ends = self.surroundings.end_of_generation if self.params.ignore_eos else ()
        biased = (token for token, bias in self.params.logit_bias if bias == -np.inf)
        return {*self.surroundings.never, *ends, *biased}
