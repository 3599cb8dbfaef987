"""Sampling in two parts: llama.cpp finds the largest logits where it computes them, and the tokens are chosen here."""

from collections.abc import Sequence

from slots.llama import Context, Logits
from slots.sampling import CandidateSampler, Result, RowSampler, Sampler


class StepSampler:
    """Chooses the tokens of a step: among the largest logits where these decide, in the whole row where they do not.

    What is handed out of a sequence is settled when a request begins in its slot, and stays so until the next one.
    """

    def __init__(self, context: Context, rows: RowSampler) -> None:
        self._context = context
        self._rows = rows
        self._candidates = CandidateSampler(context.n_top_tokens) if context.n_top_tokens else None

    def close(self) -> None:
        """End the threads that look at rows."""
        self._rows.close()

    def configure_slot(self, slot_id: int, sampler: Sampler, *, allow_top_k: bool) -> None:
        """Settle what is handed out of a slot's sequence from now on. `is_wanted` is False where the whole row is
        asked for, and has to be where a batch may have several outputs of the sequence."""
        n_needed = sampler.n_top_logits_needed
        is_enough = n_needed is not None and n_needed <= self._context.n_top_tokens
        self._context.set_top_k(slot_id, wanted=allow_top_k and is_enough)

    def sample(self, samplers: Sequence[Sampler], logits: Logits, rows: Sequence[int]) -> list[Result]:
        """The choice of each sampler, or what it raised. `logits` is what the last decode returned, of which `places`
        says which row is each sampler's, ascending; these are changed on the way."""
        top = self._context.top_tokens
        if self._candidates is None or top is None:
            return self._rows.sample(samplers, logits, rows)
        has_candidates = set(top.outputs.tolist())
        among = [number for number, place in enumerate(rows) if place in has_candidates]
        whole = [number for number, place in enumerate(rows) if place not in has_candidates]
        results: dict[int, Result] = {}
        if among:
            chosen = self._candidates.sample([samplers[n] for n in among], top.select([rows[n] for n in among]))
            results.update(zip(among, chosen, strict=True))
        if whole:
            chosen = self._rows.sample([samplers[n] for n in whole], logits, [rows[n] for n in whole])
            results.update(zip(whole, chosen, strict=True))
        return [results[number] for number in range(len(samplers))]
