"""Speculative decoding: tokens that may come next are computed beside the one that does, and taken where they are what
the request's own sampler chooses. Cheap guesses, and no text changes by them (Leviathan et al. 2023; Chen et al. 2023).
"""

from slots.speculation.draft_scheduler import DraftScheduler
from slots.speculation.drafter import Drafter
from slots.speculation.factory import make_drafter

__all__ = ["Drafter", "DraftScheduler", "make_drafter"]
