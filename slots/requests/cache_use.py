"""Cache use: which part of a prompt came from the prefix cache, from where, and why no more did."""

from dataclasses import dataclass
from enum import StrEnum


class CacheSource(StrEnum):
    """Where cached tokens were found."""

    OWN_SLOT = "own_slot"
    """The slot that the request got held them."""
    OTHER_SLOT = "other_slot"
    PARKED = "parked"
    """Host memory."""
    BURST = "burst"
    """A request with the same beginning that came shortly before computed them for both."""


@dataclass(frozen=True, slots=True)
class CacheHit:
    source: CacheSource
    n_tokens: int
    """What it added to those found before."""
    slot_id: int | None
    """The slot that held them; None for host memory."""


class MissReason(StrEnum):
    """Why a prompt has more to compute than the part that is new."""

    TEXT_DIFFERS = "text_differs"
    """The nearest cached text goes on in another way."""
    EVICTED = "evicted"
    """More was cached until it had to make room."""
    OTHER_SALT = "other_salt"
    """More is cached for requests of another salt, session or key."""
    OTHER_ADAPTER = "other_adapter"
    """More is cached, computed with other LoRA adapters."""
    CANNOT_BE_CUT = "cannot_be_cut"
    """More is cached, within a sequence that this kind of model cannot truncate."""
    NOT_COPIED = "not_copied"
    """More is cached elsewhere, but so little that a copy would take longer, or the KV cache had no room for it."""


@dataclass(frozen=True, slots=True)
class CacheMiss:
    at_token: int
    """Index of the first token of the prompt that had to be computed."""
    reason: MissReason
