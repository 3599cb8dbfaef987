"""Cache scope: which requests may reuse the computed tokens of a sequence."""

from dataclasses import dataclass

ADAPTERS_MARK = "adapters "


@dataclass(frozen=True, slots=True)
class CacheScope:
    """The first `n_public` tokens may be shared with any request, the rest only with requests of the same salt. The
    first `n_base` ones are computed by the base model, the rest with adapters, on which keys and values depend.

    Empty texts mean no isolation and no adapters: the whole sequence may be shared with any request.
    """

    salt: str = ""
    n_public: int = 0
    adapters: str = ""
    """Identifies the contents and scales of the adapters."""
    n_base: int = 0

    @property
    def marks(self) -> list[tuple[int, str]]:
        """By position: what another sequence must have, too, to have more than that many tokens in common."""
        marks = [(self.n_base, f"{ADAPTERS_MARK}{self.adapters}")] if self.adapters else []
        if self.salt:
            marks.append((self.n_public, self.salt))
        return sorted(marks, key=lambda mark: mark[0])

    def shareable(self, other: "CacheScope", n_tokens: int) -> int:
        """How many of the `n_tokens` tokens that two sequences have in common each may take from the other."""
        differing = set(self.marks) ^ set(other.marks)
        return min(n_tokens, *(position for position, _ in differing)) if differing else n_tokens
