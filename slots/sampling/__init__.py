"""The sampler chain over numpy logits."""

from slots.sampling.candidate_sampler import CandidateSampler
from slots.sampling.logits.top_k import IS_COMPILED
from slots.sampling.row_sampler import Result, RowSampler
from slots.sampling.sampler import Choice, Sampler
from slots.sampling.sampler_context import Surroundings

__all__ = ["IS_COMPILED", "CandidateSampler", "Choice", "Result", "RowSampler", "Sampler", "Surroundings"]
