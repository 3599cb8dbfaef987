"""The sampler chain over numpy logits."""

from slots.sampling.rows import RowSampler
from slots.sampling.sampler import Choice, Sampler
from slots.sampling.surroundings import Surroundings

__all__ = ["Choice", "RowSampler", "Sampler", "Surroundings"]
