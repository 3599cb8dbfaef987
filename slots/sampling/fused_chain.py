"""Fused chain: the chain of a request, computed by the sampling kernel."""

from dataclasses import dataclass

from slots.llama import Logits
from slots.sampling.chain import Chain, FusedParams
from slots.sampling.logits.candidates import Candidates
from slots.sampling.logits.kernels import sampling_kernel
from slots.sampling.logits.random_numbers import RandomNumbers
from slots.sampling.logits.workspace import Workspace
from slots.sampling.samplers.grammar_mask import AllowedTokens


@dataclass(frozen=True, slots=True)
class KernelRow:
    """What the kernel samples a row with."""

    chain: "sampling_kernel.KernelChain"
    allowed: AllowedTokens | None = None


class FusedChain:
    """A chain that the kernel computes, with all edits or, if it cannot do these, without any."""

    def __init__(self, chain: Chain, params: FusedParams, rng: RandomNumbers) -> None:
        self._mask = chain.mask
        self._edits = chain.edits
        self._top_k = params.top_k
        edits = chain.fused_edits
        self._of_edited_row = KernelRow(sampling_kernel.KernelChain(params, rng.bit_generator))
        self._of_raw_row = KernelRow(sampling_kernel.KernelChain(params, rng.bit_generator, *edits)) if edits else None
        self.needs_numpy = self._mask is not None or edits is None
        """Whether a row has to be prepared."""
        self.kernel_row = self._of_raw_row or self._of_edited_row
        """Of any row, unless `needs_numpy`."""

    def prepare(self, row: Logits, workspace: Workspace) -> KernelRow:
        """Do what the kernel cannot: some edits, and a grammar's mask. Raises InvalidRequest if a grammar hits its
        limits."""
        if not self.needs_numpy:
            return self.kernel_row
        candidates = Candidates(row, workspace)
        if self._mask is None:
            self._edit(candidates)
            return self._of_edited_row
        if self._mask.is_mask_expensive or self._of_raw_row is None:
            self._edit(candidates)
            return KernelRow(self._of_edited_row.chain, self._mask.allowed_for_top_k(candidates, self._top_k))
        return KernelRow(self._of_raw_row.chain, self._mask.allowed())

    def _edit(self, candidates: Candidates) -> None:
        for edit in self._edits:
            edit(candidates)
