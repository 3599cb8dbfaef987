"""How long clients wait for tokens."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.harness.client import Answer


def percentile_ms(seconds: Sequence[float], percent: float) -> float:
    """Returns the percentile in milliseconds, between the two nearest values where it falls between them; nan where
    there are no values."""
    return 1000 * float(np.percentile(seconds, percent)) if seconds else float("nan")


def first_token_ms(answers: Sequence[Answer[Any]]) -> dict[str, float]:
    """Returns the median and the 99th percentile of the time to the first token."""
    seconds = [answer.first_token_s for answer in answers]
    return {f"first token p{percent}, ms": percentile_ms(seconds, percent) for percent in (50, 99)}


def between_tokens_ms(answers: Sequence[Answer[Any]]) -> dict[str, float]:
    """Returns the same of the time from one token to the next of the same answer."""
    seconds = [later - earlier for answer in answers for earlier, later in pairwise(answer.arrivals)]
    return {f"between tokens p{percent}, ms": percentile_ms(seconds, percent) for percent in (50, 99)}
