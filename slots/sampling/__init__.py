"""The sampler chain over numpy logits."""

from slots.sampling.sampler import Choice, Sampler

__all__ = ["Choice", "Sampler"]
