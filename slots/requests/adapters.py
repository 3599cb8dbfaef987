"""Adapter set: which LoRA adapters a text is computed with."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class AdapterSet:
    """LoRA adapters with their scales. llama.cpp computes a batch with one set: only texts of equal sets share one."""

    scales: tuple[tuple[int, float], ...] = ()
    """Number and scale of each adapter, by number. A scale may be negative, but not 0, which stands for no adapter."""

    @classmethod
    def of(cls, scales: Mapping[int, float]) -> Self:
        """Returns the set of the adapters whose scale is not 0."""
        return cls(tuple(sorted((number, scale) for number, scale in scales.items() if scale != 0)))

    def __contains__(self, number: int) -> bool:
        return any(number == known for known, _ in self.scales)

    def without(self, number: int) -> Self:
        return type(self)(tuple((known, scale) for known, scale in self.scales if known != number))


NO_ADAPTERS = AdapterSet()
"""The base model alone."""
