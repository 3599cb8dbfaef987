"""What a slot may spend on drafts. Pure: seconds come from outside.

A draft makes a step longer for sure, and only perhaps saves other steps. So that a text for which no draft is ever
right is not slowed down by more than a bound, each slot has a purse. It earns a share, EARNED, of the time that its
tokens take without drafts, up to MOST_EARNED tokens' worth. A draft is tried only when the purse can pay what the step
takes longer, as if all of it was wrong; for each of its tokens that is right, the time of a token comes back. The purse
is never overdrawn, so what is lost on drafts is never more than EARNED of the time, whatever the texts are: as far as
the times are known (see `StepTimes`).
"""

BUDGET_SHARE = 0.015
"""Of the time without drafts: what may be lost on them."""

MAX_ACCRUED_TOKENS = 4
"""Tokens' worth that a purse is filled up to by time alone: what a request whose drafts are all wrong can lose beyond
its own share, if the requests before it in its slot have spared it."""

MAX_SAVED_TOKENS = 16
"""Tokens' worth that a purse is filled up to by drafts that were right: how long good luck is remembered."""

_INITIAL_ACCEPTANCE = 0.5
_INITIAL_MAX_LENGTH = 8
_WEIGHT = 0.2
"""Of the latest token in how likely the next one is to be right."""


class DraftBudget:
    """Of one slot. All times are in seconds."""

    def __init__(self) -> None:
        self.seconds_left = 0.0
        self.max_length = _INITIAL_MAX_LENGTH
        """Most tokens of the next draft: twice as many as those of one that was all right."""
        self._request_id = 0
        self._acceptance_rate = _INITIAL_ACCEPTANCE

    def start_request(self, request_id: int, seconds_per_token: float) -> None:
        """Serve the request with this number: what others have won is not for it to spend."""
        if request_id != self._request_id:
            self._request_id = request_id
            self._acceptance_rate = _INITIAL_ACCEPTANCE
            self.max_length = _INITIAL_MAX_LENGTH
            self.seconds_left = min(self.seconds_left, MAX_ACCRUED_TOKENS * seconds_per_token)

    def accrue(self, seconds_per_token: float) -> None:
        """Put a token's share of its time in."""
        limit = max(self.seconds_left, MAX_ACCRUED_TOKENS * seconds_per_token)
        self.seconds_left = min(self.seconds_left + BUDGET_SHARE * seconds_per_token, limit)

    def spend(self, seconds: float) -> None:
        """Take out what was spent."""
        self.seconds_left -= seconds

    def record(self, n_drafted: int, n_accepted: int, seconds_per_token: float) -> None:
        """Put in what a draft has saved, and learn from it."""
        limit = max(self.seconds_left, MAX_SAVED_TOKENS * seconds_per_token)
        self.seconds_left = min(self.seconds_left + n_accepted * seconds_per_token, limit)
        keeps = (1 - _WEIGHT) ** n_accepted
        self._acceptance_rate = 1 - keeps * (1 - self._acceptance_rate)
        if n_accepted < n_drafted:
            self._acceptance_rate *= 1 - _WEIGHT
        else:
            self.max_length = max(self.max_length, 2 * n_drafted)

    def expected_accepted(self, n_drafted: int) -> float:
        """How many tokens of a draft will be right, by those before: each as likely as the others, and none after the
        first that is wrong."""
        likelihood = self._acceptance_rate
        return likelihood * (1 - likelihood**n_drafted) / (1 - likelihood) if likelihood < 1 else n_drafted
