"""The integers of a range as a regular expression, of any size: llguidance computes bounds as floats of 64 bits."""

from collections.abc import Iterator


def range_to_regex(minimum: int | None, maximum: int | None) -> str | None:
    """Returns an expression for the integers from `minimum` to `maximum`, as JSON writes them; None if there are none.
    A bound of None is no bound."""
    parts: list[str] = []
    if minimum is None or minimum < 0:
        low = 1 if maximum is None else max(1, -maximum)
        magnitudes = list(_magnitudes(low, None if minimum is None else -minimum))
        parts += [f"-({'|'.join(magnitudes)})"] if magnitudes else []
    if maximum is None or maximum >= 0:
        parts += _magnitudes(max(0, minimum or 0), maximum)
    return "|".join(parts) or None


def _magnitudes(low: int, high: int | None) -> Iterator[str]:
    """Yields expressions that together match the numbers from `low`, at least 0, to `high`, all of them if None."""
    n_digits = len(str(low))
    last = 10**n_digits - 1
    while high is None or low <= high:
        end = last if high is None else min(last, high)
        yield from _same_length(str(low), str(end))
        if high is None:
            yield f"[1-9][0-9]{{{n_digits},}}"
            return
        low, last, n_digits = last + 1, 10 * last + 9, n_digits + 1


def _same_length(low: str, high: str) -> Iterator[str]:
    """Yields expressions for the numbers between two of the same number of digits."""
    if not low or low == high:
        yield low
        return
    n_rest = len(low) - 1
    if low[0] == high[0]:
        yield from (low[0] + rest for rest in _same_length(low[1:], high[1:]))
        return
    first, last = int(low[0]), int(high[0])
    if low[1:] != "0" * n_rest:
        yield from (low[0] + rest for rest in _same_length(low[1:], "9" * n_rest))
        first += 1
    ends_early = high[1:] != "9" * n_rest
    if first <= last - ends_early:
        yield _digits(first, last - ends_early) + _any_digits(n_rest)
    if ends_early:
        yield from (high[0] + rest for rest in _same_length("0" * n_rest, high[1:]))


def _digits(first: int, last: int) -> str:
    return str(first) if first == last else f"[{first}-{last}]"


def _any_digits(count: int) -> str:
    return "" if count == 0 else "[0-9]" if count == 1 else f"[0-9]{{{count}}}"
