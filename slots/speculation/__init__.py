"""Speculative decoding: a step also computes drafted tokens, and accepts those that the request's own sampler chooses.
It changes no text (Leviathan et al. 2023; Chen et al. 2023)."""

from slots.speculation.draft_scheduler import DraftScheduler
from slots.speculation.drafter import Drafter
from slots.speculation.factory import make_drafter

__all__ = ["DraftScheduler", "Drafter", "make_drafter"]
