"""LlamaFamilies: the series of llama.cpp's server, under its names."""

from collections.abc import Iterator

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from slots.engine import Engine
from slots.metrics.engine_stats import RequestTotals

PREFIX = "llamacpp:"
SINCE_LAST_SCRAPE = frozenset({f"{PREFIX}prompt_tokens_seconds", f"{PREFIX}predicted_tokens_seconds"})
"""Averages of the time between two scrapes."""


class LlamaFamilies:
    """Knows the totals at the last scrape: two gauges are averages since then."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._latest = RequestTotals()

    def collect(self) -> Iterator[Metric]:
        yield from self._counters()
        yield from self._gauges()

    def _counters(self) -> Iterator[Metric]:
        stats, totals = self._engine.stats, self._engine.stats.requests
        yield _counter("prompt_tokens", "Prompt tokens computed, without cached ones", totals.prompt_tokens)
        yield _counter("prompt_tokens_cached", "Prompt tokens taken from the cache", totals.cached_tokens)
        yield _counter("prompt_seconds", "Time spent on prompts", totals.prompt_seconds)
        yield _counter("tokens_predicted", "Tokens generated", totals.generated_tokens)
        yield _counter("tokens_predicted_seconds", "Time spent on generating tokens", totals.generation_seconds)
        yield _counter("n_decode", "Calls of llama_decode, without those for drafts", stats.n_decodes)
        yield GaugeMetricFamily(
            f"{PREFIX}n_tokens_max", "Longest prompt with its text, in tokens", stats.max_sequence_tokens
        )
        yield _counter("spec_decode_num_draft_tokens", "Tokens drafted", stats.n_drafted_tokens)
        yield _counter("spec_decode_num_accepted_tokens", "Drafted tokens that were accepted", stats.n_accepted_tokens)
        yield _counter("spec_decode_num_drafts", "Drafts that were checked", stats.n_drafts)
        if stats.n_drafts:
            family = CounterMetricFamily(
                f"{PREFIX}spec_decode_num_accepted_tokens_per_pos",
                "Drafted tokens that were accepted, by their position in the draft",
                labels=["position"],
            )
            for position, count in enumerate(stats.accepted_by_position):
                if count:
                    family.add_metric([str(position)], count)
            yield family

    def _gauges(self) -> Iterator[Metric]:
        engine, stats, totals = self._engine, self._engine.stats, self._engine.stats.requests
        latest, self._latest = (
            self._latest,
            RequestTotals(
                prompt_tokens=totals.prompt_tokens,
                prompt_seconds=totals.prompt_seconds,
                generation_steps=totals.generation_steps,
                generation_seconds=totals.generation_seconds,
            ),
        )
        now = self._latest
        yield _gauge(
            "prompt_tokens_seconds",
            "Prompt tokens per second since the last scrape",
            _rate(now.prompt_tokens - latest.prompt_tokens, now.prompt_seconds - latest.prompt_seconds),
        )
        yield _gauge(
            "predicted_tokens_seconds",
            "Tokens generated per second of a request since the last scrape",
            _rate(now.generation_steps - latest.generation_steps, now.generation_seconds - latest.generation_seconds),
        )
        yield _gauge("requests_processing", "Requests that have a slot", engine.n_running)
        yield _gauge("requests_deferred", "Requests that wait for a slot", engine.n_waiting)
        yield _gauge(
            "n_busy_slots_per_decode",
            "Slots per call of llama_decode, on average",
            stats.n_busy_slots / max(stats.n_decodes, 1),
        )


def _counter(name: str, description: str, value: float) -> Metric:
    return CounterMetricFamily(PREFIX + name, description, value)


def _gauge(name: str, description: str, value: float) -> Metric:
    return GaugeMetricFamily(PREFIX + name, description, value)


def _rate(n_tokens: int, seconds: float) -> float:
    return n_tokens / seconds if seconds > 0 else 0.0
