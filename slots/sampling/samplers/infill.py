"""Infill sampler: for completions in the middle of a text, which should end early rather than late."""

from collections.abc import Callable, Collection

import numpy as np
import numpy.typing as npt

from slots.sampling.logits.candidates import Candidates
from slots.sampling.sampler_context import LogitsProcessor, SamplerInputs

_MAX_CANDIDATES = 512  # all pairs of candidates are compared; less likely ones are removed first
_MIN_PROBABILITY = 0.2


class Infill:
    """Infill sampling (llama.cpp, 2024), meant to follow a top-k and a top-p.

    If the end of the text is likely enough, only the end tokens are kept. Otherwise a token that is a prefix of another
    gives its probability to the likelier of the two, or takes the other's, and only the tokens that are then likely are
    kept, with the end tokens. Unlike llama.cpp's, it considers only the 512 likeliest tokens.
    """

    def __init__(
        self, end_of_generation: Collection[int], end_token: int | None, output_bytes: Callable[[int], bytes]
    ) -> None:
        """`end_token` is the token to keep if none is likely; without it the likeliest one is kept."""
        self._end_of_generation = end_of_generation
        self._end_token = end_token
        self._output_bytes = output_bytes

    def __call__(self, candidates: Candidates) -> None:
        n_total = candidates.n_total
        candidates.keep_largest(_MAX_CANDIDATES)
        softmax = candidates.softmax()
        tokens = [candidates.token(index) for index in range(len(candidates))]
        is_end = np.array([token in self._end_of_generation for token in tokens])
        probabilities = np.asarray(softmax.weights / softmax.total(), np.float64)
        p_end = float(probabilities[is_end].sum())
        if 3 * p_end * n_total > 1.0 - p_end:
            candidates.keep(is_end.nonzero()[0])
            return
        self._merge_prefixes(tokens, probabilities)
        is_kept = is_end | (probabilities >= _MIN_PROBABILITY)
        n_text = int((is_kept & ~is_end).sum())
        if n_text == 0:
            candidates.keep_only(tokens[0] if self._end_token is None else self._end_token)
            return
        probabilities /= probabilities[is_kept].sum()
        candidates.keep((is_kept & (is_end | (probabilities >= 1.0 / (n_text + 1)))).nonzero()[0])

    def _merge_prefixes(self, tokens: list[int], probabilities: npt.NDArray[np.float64]) -> None:
        """Merge tokens with those that they are a prefix of, in llama.cpp's order: by the shorter token, then by the
        longer one."""
        is_merged = [False] * len(tokens)
        for shorter, longer in self._prefix_pairs(tokens):
            if not is_merged[shorter] and not is_merged[longer]:
                is_longer_likelier = probabilities[longer] > probabilities[shorter]
                target, source = (longer, shorter) if is_longer_likelier else (shorter, longer)
                probabilities[target] += probabilities[source]
                probabilities[source] = 0.0
                is_merged[source] = True

    def _prefix_pairs(self, tokens: list[int]) -> list[tuple[int, int]]:
        """The indices of all pairs in which the first token's text is a prefix of the second's, sorted."""
        texts = [self._output_bytes(token) for token in tokens]
        indices: dict[bytes, list[int]] = {}
        for index, text in enumerate(texts):
            indices.setdefault(text, []).append(index)
        return sorted(
            (shorter, longer)
            for longer, text in enumerate(texts)
            for n in range(1, len(text) + 1)
            for shorter in indices.get(text[:n], ())
            if shorter != longer
        )


def make_infill(inputs: SamplerInputs) -> LogitsProcessor:
    context = inputs.context
    end_token = None if context.end_token in inputs.banned_tokens else context.end_token
    return Infill(context.end_of_generation, end_token, context.output_bytes)
