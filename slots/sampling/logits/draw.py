"""Drawing a token."""

import numpy as np
import numpy.typing as npt

from slots.sampling.logits.candidates import Candidates
from slots.sampling.logits.search import Floats

_BLOCK = 1024


def draw(candidates: Candidates, random: np.random.Generator) -> tuple[int, float]:
    """Draw one of the candidates by their probabilities. Returns its place and its probability.

    Raises InvalidRequest when none of them can be chosen.
    """
    weights = candidates.softmax().weights
    share = random.random()
    if weights.size > 2 * _BLOCK:
        return _draw_from_many(weights, share)
    mass = weights.cumsum()
    place = _find(mass, share * mass[-1])
    return place, float(weights[place] / mass[-1])


def _draw_from_many(weights: Floats, share: float) -> tuple[int, float]:
    """First the block of places is found, then the place in the block: to add all up one by one would be slow."""
    blocks = np.add.reduceat(weights, np.arange(0, weights.size, _BLOCK)).cumsum(dtype=np.float64)
    block = _find(blocks, share * blocks[-1])
    before = blocks[block - 1] if block else 0.0
    start = block * _BLOCK
    within = weights[start : start + _BLOCK].cumsum(dtype=np.float64)
    # Which is not to the last bit what the block has, as it is added up in another order.
    share_of_block = (share * blocks[-1] - before) / (blocks[block] - before)
    place = start + _find(within, share_of_block * within[-1])
    return place, float(weights[place] / blocks[-1])


def _find(mass: npt.NDArray[np.float64], below: float) -> int:
    """The first place up to which there is more mass than `below`, or the last one that has any."""
    place = int(mass.searchsorted(below, side="right"))
    return place if place < mass.size else int(mass.searchsorted(mass[-1]))
