"""What a slot may spend on drafts. Pure: seconds come from outside.

A draft makes a step longer for sure, and only perhaps saves other steps. So that a text for which no draft is ever
right is not slowed down by more than a bound, each slot has a purse. It earns a share, EARNED, of the time that its
tokens take without drafts, up to MOST_EARNED tokens' worth. A draft is tried only when the purse can pay what the step
takes longer, as if all of it was wrong; for each of its tokens that is right, the time of a token comes back. The purse
is never overdrawn, so what is lost on drafts is never more than EARNED of the time, whatever the texts are: as far as
the times are known (see `StepTimes`).
"""

EARNED = 0.015
"""Of the time without drafts: what may be lost on them."""

MOST_EARNED = 4
"""Tokens' worth that a purse is filled up to by time alone: what a request whose drafts are all wrong can lose beyond
its own share, if the requests before it in its slot have spared it."""

MOST_WON = 16
"""Tokens' worth that a purse is filled up to by drafts that were right: how long good luck is remembered."""

_FIRST_GUESS = 0.5
_FIRST_REACH = 8
_WEIGHT = 0.2
"""Of the latest token in how likely the next one is to be right."""


class Purse:
    """Of one slot. All times are in seconds."""

    def __init__(self) -> None:
        self.balance = 0.0
        self.reach = _FIRST_REACH
        """Most tokens of the next draft: twice as many as those of one that was all right."""
        self._request = 0
        self._likelihood = _FIRST_GUESS

    def begin(self, request: int, seconds_per_token: float) -> None:
        """Serve the request with this number: what others have won is not for it to spend."""
        if request != self._request:
            self._request = request
            self._likelihood = _FIRST_GUESS
            self.reach = _FIRST_REACH
            self.balance = min(self.balance, MOST_EARNED * seconds_per_token)

    def earn(self, seconds_per_token: float) -> None:
        """Put a token's share of its time in."""
        most = max(self.balance, MOST_EARNED * seconds_per_token)
        self.balance = min(self.balance + EARNED * seconds_per_token, most)

    def pay(self, seconds: float) -> None:
        """Take out what was spent."""
        self.balance -= seconds

    def settle(self, n_drafted: int, n_right: int, seconds_per_token: float) -> None:
        """Put in what a draft has saved, and learn from it."""
        most = max(self.balance, MOST_WON * seconds_per_token)
        self.balance = min(self.balance + n_right * seconds_per_token, most)
        keeps = (1 - _WEIGHT) ** n_right
        self._likelihood = 1 - keeps * (1 - self._likelihood)
        if n_right < n_drafted:
            self._likelihood *= 1 - _WEIGHT
        else:
            self.reach = max(self.reach, 2 * n_drafted)

    def expected(self, n_drafted: int) -> float:
        """How many tokens of a draft will be right, by those before: each as likely as the others, and none after the
        first that is wrong."""
        likelihood = self._likelihood
        return likelihood * (1 - likelihood**n_drafted) / (1 - likelihood) if likelihood < 1 else n_drafted
