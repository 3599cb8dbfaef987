"""Search: which number of threads is tried next."""


class NumberSearch:
    """Remembers which numbers were slower than the current one, to halve the way to them: 16, 8, 12, 14, 15."""

    def __init__(self, n_max: int) -> None:
        self.n_max = n_max
        self._slower: set[int] = set()
        self._n_trials = 0
        self._latest_trial: dict[int, int] = {}

    def mark_slower(self, number: int) -> None:
        self._slower.add(number)

    def forget(self) -> None:
        """Forget what was slower, after the machine changed."""
        self._slower.clear()

    def below(self, current: int) -> int | None:
        """Returns the number to try if fewer threads may be faster than `current`; None if there is none left."""
        slower = max((number for number in self._slower if number < current), default=0)
        middle = (slower + current) // 2
        return middle if middle > slower else None

    def above(self, current: int) -> int | None:
        """Returns the number to try if more threads may be faster than `current`; None if there is none left."""
        slower = self.slower_above(current)
        number = min(2 * current, self.n_max) if slower is None else (current + slower) // 2
        return number if number > current else None

    def slower_above(self, current: int) -> int | None:
        """Returns the smallest number above `current` that was slower, to try again; None if there is none."""
        return min((number for number in self._slower if number > current), default=None)

    def neighbour(self, current: int) -> int | None:
        """Returns what was not tried for the longest time among half and twice the current number and those next to it,
        slower ones too; None if there is no other number."""
        numbers = [2 * current, current // 2, current + 1, current - 1]
        choices = [number for number in numbers if 1 <= number <= self.n_max]
        return min(choices, key=lambda number: self._latest_trial.get(number, -1), default=None)

    def note_trial(self, number: int) -> None:
        self._n_trials += 1
        self._latest_trial[number] = self._n_trials
        self._slower.discard(number)
