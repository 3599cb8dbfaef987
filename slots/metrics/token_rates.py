"""TokenRates: how many tokens were computed and generated in each of the last seconds."""

from collections import deque
from dataclasses import dataclass

BUCKET_SECONDS = 5.0
N_BUCKETS = 60
"""Five minutes."""


@dataclass(frozen=True, slots=True)
class RateHistory:
    """Tokens per second in buckets of time, the oldest one first. The last one is not over yet."""

    bucket_seconds: float
    prompt: list[float]
    generated: list[float]


class TokenRates:
    """Keeps running totals as of the beginning of each bucket. Written by one thread."""

    __slots__ = ("_bucket", "_starts")

    def __init__(self) -> None:
        self._bucket = -1
        self._starts: deque[tuple[int, int, int]] = deque(maxlen=N_BUCKETS)
        """The number of a bucket with the totals of prompt and generated tokens before it; none if nothing happened."""

    def note(self, now: float, n_prompt: int, n_generated: int) -> None:
        """Take in the totals before a step that starts at `now`, in seconds."""
        bucket = int(now / BUCKET_SECONDS)
        if bucket != self._bucket:
            self._bucket = bucket
            self._starts.append((bucket, n_prompt, n_generated))

    def history(self, now: float, n_prompt: int, n_generated: int) -> RateHistory:
        """Returns the rates up to `now`, when the totals are as given. May be called from any thread."""
        starts, latest = list(self._starts), int(now / BUCKET_SECONDS)
        oldest = latest - N_BUCKETS + 1
        prompt, generated = [0.0] * N_BUCKETS, [0.0] * N_BUCKETS
        ends = [*starts[1:], (latest + 1, n_prompt, n_generated)] if starts else []
        for (bucket, prompt_before, generated_before), (_, prompt_after, generated_after) in zip(
            starts, ends, strict=True
        ):
            if bucket >= oldest:
                seconds = BUCKET_SECONDS if bucket < latest else max(now - latest * BUCKET_SECONDS, 1.0)
                prompt[bucket - oldest] = (prompt_after - prompt_before) / seconds
                generated[bucket - oldest] = (generated_after - generated_before) / seconds
        return RateHistory(BUCKET_SECONDS, prompt, generated)
