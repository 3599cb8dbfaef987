"""Step sampler: samples the rows of a step, from the largest logits alone if llama.cpp's own top-k was used."""

from collections.abc import Sequence

from slots.llama import Context, Logits
from slots.sampling import CandidateSampler, Result, RowSampler, Sampler


class StepSampler:
    """Samples each row of a step from its largest logits if these are enough for its sampler, else from the full row:
    which of the two is decided when a request starts in a slot."""

    def __init__(self, context: Context, row_sampler: RowSampler) -> None:
        self._context = context
        self._row_sampler = row_sampler
        self._candidate_sampler = CandidateSampler(context.n_top_tokens) if context.n_top_tokens else None

    def close(self) -> None:
        self._row_sampler.close()

    def configure_slot(self, slot_id: int, sampler: Sampler, *, allow_top_k: bool) -> None:
        """Decide whether llama.cpp returns only the largest logits of a slot's sequence, until the next call.
        `allow_top_k` has to be False if a batch may have several outputs of the sequence."""
        n_needed = sampler.traits.n_top_logits_needed
        is_enough = n_needed is not None and n_needed <= self._context.n_top_tokens
        self._context.set_top_k(slot_id, wanted=allow_top_k and is_enough)

    def sample(self, samplers: Sequence[Sampler], logits: Logits, rows: Sequence[int]) -> list[Result]:
        """Return the token of each sampler, or the exception that it raised. `logits` is what the last decode returned,
        and is changed; `rows` are the indices of the samplers' rows in it, ascending."""
        top = self._context.top_tokens
        if self._candidate_sampler is None or top is None:
            return self._row_sampler.sample(samplers, logits, rows)
        has_top_k = set(top.outputs.tolist())
        by_top_k = [index for index, row in enumerate(rows) if row in has_top_k]
        by_row = [index for index, row in enumerate(rows) if row not in has_top_k]
        results: dict[int, Result] = {}
        if by_top_k:
            selected = top.select([rows[index] for index in by_top_k])
            sampled = self._candidate_sampler.sample([samplers[index] for index in by_top_k], selected)
            results.update(zip(by_top_k, sampled, strict=True))
        if by_row:
            sampled = self._row_sampler.sample(
                [samplers[index] for index in by_row], logits, [rows[index] for index in by_row]
            )
            results.update(zip(by_row, sampled, strict=True))
        return [results[index] for index in range(len(samplers))]
