"""MediaPace: how much of a picture a step computes while others generate. Pure: seconds come from outside."""

MIN_CELLS = 8
"""Fewer take hardly less time, on any machine."""
MAX_TIMES_A_STEP = 2.0
"""How many times as long as the tokens of the same step the media may take."""
_WEIGHT = 0.25
"""Of the latest step, in the average."""


class MediaPace:
    """Embeddings cannot be in one batch with tokens: a step computes the tokens, then the embeddings, and who generates
    waits for both. So media are computed in chunks, as large as take some times as long as the tokens do. Their size is
    found by doubling and halving."""

    def __init__(self, max_cells: int) -> None:
        self._max_cells = max_cells
        self._token_seconds = 0.0
        self.n_cells = min(MIN_CELLS, max_cells)
        """The most cells of media for the next step, if others generate and the media can be cut."""

    def record_tokens(self, seconds: float) -> None:
        """Take in what the tokens of a step that only generates took."""
        change = seconds - self._token_seconds
        self._token_seconds += change * (_WEIGHT if self._token_seconds else 1.0)

    def record_media(self, n_cells: int, seconds: float) -> None:
        """Take in what a batch of media took."""
        limit = MAX_TIMES_A_STEP * self._token_seconds
        if n_cells == self.n_cells and 2 * seconds <= limit:
            self.n_cells = min(2 * n_cells, self._max_cells)
        elif n_cells == self.n_cells and seconds > limit:
            self.n_cells = max(n_cells // 2, min(MIN_CELLS, self._max_cells))
