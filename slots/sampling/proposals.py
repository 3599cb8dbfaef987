"""Proposals: draws the tokens of a draft from the logits of a draft model."""

from collections.abc import Sequence

import numpy as np

from slots.llama import Logits
from slots.requests.draft import Proposal
from slots.requests.sampling_params import SamplerName, SamplingParams
from slots.sampling.chain import SAMPLERS
from slots.sampling.logits.candidates import Candidates
from slots.sampling.logits.draw import draw_weighted
from slots.sampling.logits.workspace import Workspace
from slots.sampling.sampler import no_float_warnings
from slots.sampling.sampler_context import SamplerContext, SamplerInputs

MAX_CANDIDATES = 64
"""Tokens that are possible at a place: the others are so unlikely that they would seldom be drawn, or accepted."""

MAX_PENALIZED = 256
"""Last tokens that penalties are applied to."""

_SAMPLERS = (
    SamplerName.PENALTIES,
    SamplerName.TOP_K,
    SamplerName.TOP_P,
    SamplerName.MIN_P,
    SamplerName.TEMPERATURE,
)


class ProposalSampler:
    """Draws tokens nearly as the samplers of their request would: the nearer, the more of them are accepted. What is
    left out changes no text."""

    def __init__(self, n_vocab: int, seed: int | None = None) -> None:
        """`n_vocab` is the number of logits in a row; without a `seed` the operating system gives one."""
        self._context = SamplerContext(n_vocab, n_ctx=MAX_PENALIZED)
        self._workspace = Workspace(n_vocab)
        self._rng = np.random.default_rng(seed)

    def draw(self, row: Logits, params: SamplingParams, text: Sequence[int]) -> tuple[int, Proposal]:
        """Returns a token that may follow `text`, and the distribution that it was drawn from.

        `row` is float32 of shape (vocabulary,), and is changed.
        """
        top_k = min(params.top_k, MAX_CANDIDATES) if params.top_k > 0 else MAX_CANDIDATES
        inputs = SamplerInputs(params.replace(top_k=top_k), text[-MAX_PENALIZED:], self._context, self._rng)
        candidates = Candidates(row, self._workspace)
        with no_float_warnings():
            for name in _SAMPLERS:
                if SAMPLERS[name].has_effect(inputs):
                    SAMPLERS[name].make(inputs)(candidates)
            softmax = candidates.softmax()
            probabilities = softmax.weights / np.float64(softmax.total())
        index, _probability = draw_weighted(probabilities, self._rng.random())
        tokens = np.arange(row.size) if candidates.ids is None else candidates.ids
        return int(tokens[index]), Proposal(tokens, probabilities)
