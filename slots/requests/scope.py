"""Cache scope: which requests may reuse the computed tokens of a sequence."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CacheScope:
    """The first `n_public` tokens may be shared with any request, the rest only with requests of the same scope.

    An empty salt means no isolation: the whole sequence may be shared with any request.
    """

    salt: str = ""
    n_public: int = 0

    def shareable(self, other: "CacheScope", n_tokens: int) -> int:
        """How many of the `n_tokens` tokens that two sequences have in common each may take from the other."""
        if self == other:
            return n_tokens
        return min(n_tokens, *(scope.n_public for scope in (self, other) if scope.salt), n_tokens)
