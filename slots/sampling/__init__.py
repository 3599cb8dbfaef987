"""The sampler chain over numpy logits."""

from slots.sampling.candidate_sampler import CandidateSampler
from slots.sampling.large_logits import IS_COMPILED
from slots.sampling.rows import Result, RowSampler
from slots.sampling.sampler import Choice, Sampler
from slots.sampling.surroundings import Surroundings

__all__ = ["IS_COMPILED", "CandidateSampler", "Choice", "Result", "RowSampler", "Sampler", "Surroundings"]
