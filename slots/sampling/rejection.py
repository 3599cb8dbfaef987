"""Rejection sampling: decides whether a drafted token is the next one (Leviathan et al. 2023; Chen et al. 2023).

A token x that was drawn with probability q(x) is accepted with probability min(1, p(x) / q(x)), where p is what the
samplers of the request leave; else another one is drawn from the positive part of p - q. Either way the result has the
distribution p. For a token that was not drawn, q(x) is 1, and drawing a token from p to compare them is the same: it
is x with probability p(x), and else one of p without x.
"""

from dataclasses import dataclass

import numpy as np

from slots.requests.draft import Proposal
from slots.sampling.logits.candidates import Candidates
from slots.sampling.logits.draw import draw_weighted
from slots.sampling.logits.random_numbers import Random


@dataclass(frozen=True, slots=True)
class ProposedToken:
    """A drafted token, and the distribution that it was drawn from."""

    token: int
    proposal: Proposal


def accept_or_redraw(candidates: Candidates, proposed: ProposedToken, rng: Random) -> tuple[int, float]:
    """Returns the index of the proposed token among the candidates or, if it is rejected, that of another one, and its
    probability among them. Raises InvalidRequest if there is no candidate."""
    softmax = candidates.softmax()
    p = softmax.weights / np.float64(softmax.total())
    q = np.zeros(p.size)
    tokens = proposed.proposal.tokens
    indices, which = candidates.find(tokens)
    q[indices] = proposed.proposal.probabilities[which]
    for index in indices[tokens[which] == proposed.token].tolist():
        if rng.random() * q[index] < p[index]:
            return index, float(p[index])
    residual = np.maximum(p - q, 0.0)
    if not residual.any():  # p and q are equal, but for rounding
        residual = p
    index, _probability = draw_weighted(residual, rng.random())
    return index, float(p[index])
