"""Who may take what was computed of a sequence."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CacheScope:
    """The first `n_public` tokens may be taken by everyone, the rest by requests with the same scope only.

    The salt "" is that of everyone who asked for nothing: all of such a sequence is public.
    """

    salt: str = ""
    n_public: int = 0

    def shareable(self, other: "CacheScope", n_tokens: int) -> int:
        """How many of the first `n_tokens` tokens, which two sequences have in common, each may take of the other."""
        if self == other:
            return n_tokens
        return min(n_tokens, *(scope.n_public for scope in (self, other) if scope.salt), n_tokens)
