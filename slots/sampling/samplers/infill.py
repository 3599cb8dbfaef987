"""Infill: for completions in the middle of a text, which should end early rather than late."""

from collections.abc import Callable, Collection

import numpy as np
import numpy.typing as npt

from slots.sampling.logits.candidates import Candidates
from slots.sampling.sampler_context import LogitsProcessor, SamplerInputs

_MOST = 512
"""Candidates are compared with each other, which takes a while for many; less likely ones are taken away first."""
_LEAST_PROBABILITY = 0.2


class Infill:
    """Infill sampling (llama.cpp, 2024), meant to come after a top-k and a top-p.

    Where the end of the text is likely enough, nothing else stays. Otherwise tokens that begin the same are counted
    together, for the likeliest of them, and only tokens that stand out stay, with the ends of the text. Unlike
    llama.cpp's, it looks at no more than the 512 likeliest tokens.
    """

    def __init__(self, end_of_generation: Collection[int], end: int | None, text_of: Callable[[int], bytes]) -> None:
        """`end` is the token to take where none stands out; without it that is the likeliest one."""
        self._end_of_generation = end_of_generation
        self._end = end
        self._text_of = text_of

    def __call__(self, candidates: Candidates) -> None:
        n_counted = candidates.n_total
        candidates.keep_largest(_MOST)
        softmax = candidates.softmax()
        tokens = [candidates.token(place) for place in range(len(candidates))]
        is_end = np.array([token in self._end_of_generation for token in tokens])
        probabilities = np.asarray(softmax.weights / softmax.total(), np.float64)
        p_end = float(probabilities[is_end].sum())
        if 3 * p_end * n_counted > 1.0 - p_end:
            candidates.keep(is_end.nonzero()[0])
            return
        self._merge(tokens, probabilities)
        stays = is_end | (probabilities >= _LEAST_PROBABILITY)
        n_text = int((stays & ~is_end).sum())
        if n_text == 0:
            candidates.keep_only(tokens[0] if self._end is None else self._end)
            return
        probabilities /= probabilities[stays].sum()
        candidates.keep((stays & (is_end | (probabilities >= 1.0 / (n_text + 1)))).nonzero()[0])

    def _merge(self, tokens: list[int], probabilities: npt.NDArray[np.float64]) -> None:
        """Give the probability of a token that is the beginning of another one to the likelier of the two, in the
        order of llama.cpp: by the shorter token, then by the longer one."""
        is_merged = [False] * len(tokens)
        for shorter, longer in self._beginnings(tokens):
            if not is_merged[shorter] and not is_merged[longer]:
                is_longer_likelier = probabilities[longer] > probabilities[shorter]
                into, merged = (longer, shorter) if is_longer_likelier else (shorter, longer)
                probabilities[into] += probabilities[merged]
                probabilities[merged] = 0.0
                is_merged[merged] = True

    def _beginnings(self, tokens: list[int]) -> list[tuple[int, int]]:
        """The places of all two tokens of which the first one's text is the beginning of the other's, in order."""
        texts = [self._text_of(token) for token in tokens]
        places: dict[bytes, list[int]] = {}
        for place, text in enumerate(texts):
            places.setdefault(text, []).append(place)
        return sorted(
            (shorter, longer)
            for longer, text in enumerate(texts)
            for n in range(1, len(text) + 1)
            for shorter in places.get(text[:n], ())
            if shorter != longer
        )


def make_infill(inputs: SamplerInputs) -> LogitsProcessor | None:
    """Returns the sampler of a request, which nothing turns off but the order."""
    surroundings = inputs.context
    end = None if surroundings.end_token in inputs.banned_tokens() else surroundings.end_token
    return Infill(surroundings.end_of_generation, end, surroundings.output_bytes)
