"""Draft budget: bounds the time that a slot may lose on rejected drafts. Pure: seconds come from outside.

A draft always makes its step longer, and saves later steps only if its tokens are accepted. A slot therefore accrues
`BUDGET_SHARE` of its decode time, spends the cost of each draft in advance, and gets back the time of a token for each
accepted one. Since no draft is proposed whose cost exceeds the budget, a text on which none is accepted is slowed down
by at most that share, as far as the step times are known (see `StepTimeModel`).
"""

BUDGET_SHARE = 0.015
"""Of the decode time without drafts."""

MAX_ACCRUED_TOKENS = 4
"""Limit of what decode time alone adds up to, in the time of a token: what a request whose drafts are all rejected can
lose beyond its own share, if earlier requests of its slot have left that much."""

MAX_SAVED_TOKENS = 16
"""Limit of what accepted tokens add up to, in the time of a token: how long past success counts."""

_INITIAL_ACCEPTANCE = 0.5
_INITIAL_MAX_LENGTH = 8
_WEIGHT = 0.2
"""Of the latest token in the acceptance rate."""


class DraftBudget:
    """The budget of one slot, in seconds, and the acceptance rate of its request."""

    def __init__(self) -> None:
        self.seconds_left = 0.0
        self.max_length = _INITIAL_MAX_LENGTH
        """Tokens that the next draft may have: twice as many as one that was accepted as a whole."""
        self._request_id = 0
        self._acceptance_rate = _INITIAL_ACCEPTANCE

    def start_request(self, request_id: int, seconds_per_token: float) -> None:
        """Forget what is known of another request, and what that saved beyond `MAX_ACCRUED_TOKENS`."""
        if request_id != self._request_id:
            self._request_id = request_id
            self._acceptance_rate = _INITIAL_ACCEPTANCE
            self.max_length = _INITIAL_MAX_LENGTH
            self.seconds_left = min(self.seconds_left, MAX_ACCRUED_TOKENS * seconds_per_token)

    def accrue(self, seconds_per_token: float) -> None:
        """Add the share of a generated token's time."""
        limit = MAX_ACCRUED_TOKENS * seconds_per_token
        if self.seconds_left < limit:  # in each step of each slot: faster than min and max
            self.seconds_left = min(self.seconds_left + BUDGET_SHARE * seconds_per_token, limit)

    def spend(self, seconds: float) -> None:
        self.seconds_left -= seconds

    def record(self, n_drafted: int, n_accepted: int, seconds_per_token: float) -> None:
        """Add the time that a draft saved, and update the acceptance rate."""
        limit = max(self.seconds_left, MAX_SAVED_TOKENS * seconds_per_token)
        self.seconds_left = min(self.seconds_left + n_accepted * seconds_per_token, limit)
        self._acceptance_rate = 1 - (1 - _WEIGHT) ** n_accepted * (1 - self._acceptance_rate)
        if n_accepted < n_drafted:
            self._acceptance_rate *= 1 - _WEIGHT
        else:
            self.max_length = max(self.max_length, 2 * n_drafted)

    def expected_accepted(self, n_drafted: int) -> float:
        """How many tokens of a draft will be accepted, if each is with the same probability and none after the first
        rejected one (Leviathan et al. 2023)."""
        rate = self._acceptance_rate
        return rate * (1 - rate**n_drafted) / (1 - rate) if rate < 1 else n_drafted
