"""The sampler chain over numpy logits."""

from slots.sampling.candidate_sampler import CandidateSampler
from slots.sampling.logits.top_k import IS_COMPILED
from slots.sampling.row_sampler import Result, RowSampler
from slots.sampling.sampler import SampledToken, Sampler
from slots.sampling.sampler_context import SamplerContext

__all__ = ["IS_COMPILED", "CandidateSampler", "Result", "RowSampler", "SampledToken", "Sampler", "SamplerContext"]
