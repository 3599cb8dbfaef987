"""MetricsText: all series in Prometheus' text format."""

from collections.abc import Iterator, Sequence

from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector, CollectorRegistry

from server.http.http_stats import HttpStats
from server.metrics.engine_families import engine_families
from server.metrics.families import PREFIX, Families
from server.metrics.llama_families import SINCE_LAST_SCRAPE, LlamaFamilies
from slots.engine import Engine

CONTENT_TYPE = "text/plain; version=0.0.4"
GONE_WITH_THE_ENGINE = frozenset(
    PREFIX + name for name in ("kv_cells_used", "kv_cache_usage_perc", "parked_bytes", "parked_sequences")
)
"""Gauges of memory that is given back when the model is unloaded."""


class MetricsText(Collector):
    """Reads numbers that others write, when it is asked: a number costs nothing but the writing until then."""

    def __init__(self, engine: Engine, http: HttpStats, model: str) -> None:
        self._engine: Engine | None = engine
        self._http = http
        self._families = Families(model)
        self._llama = LlamaFamilies(engine)
        self._last: Sequence[Metric] = ()
        """Of the engine, once it is gone."""
        self._process = ProcessCollector(registry=CollectorRegistry())

    @property
    def has_engine(self) -> bool:
        return self._engine is not None

    def leave_engine(self) -> None:
        """Keeps the last numbers of the engine in place of it, as its model is unloaded."""
        self._last = [_without(GONE_WITH_THE_ENGINE, family) for family in self._engine_families()]
        self._engine = None
        del self._llama

    def render(self) -> bytes:
        # llama.cpp has a counter without the ending that all counters have here.
        return generate_latest(self).replace(
            b"# TYPE llamacpp:n_tokens_max gauge", b"# TYPE llamacpp:n_tokens_max counter"
        )

    def collect(self) -> Iterator[Metric]:
        yield from self._engine_families()
        yield self._families.gauge("is_sleeping", "1 while the model is unloaded", float(not self.has_engine))
        yield from self._http_families()
        yield from self._process.collect()

    def _engine_families(self) -> Iterator[Metric]:
        if self._engine is not None:
            yield from self._llama.collect()
            yield from engine_families(self._engine, self._families)
        else:
            yield from self._last
            self._last = [_without(SINCE_LAST_SCRAPE, family) for family in self._last]

    def _http_families(self) -> Iterator[Metric]:
        responses = {(path, method, str(code)): n for (path, method, code), n in self._http.responses.items()}
        labels = ("path", "method", "code")
        yield self._families.labelled_counters("http_responses", "HTTP responses", labels, responses)
        errors = {str(code): n for code, n in self._http.errors.items()}
        yield self._families.counters("errors", "Requests that failed, also midway, by HTTP code", "code", errors)


def _without(names: frozenset[str], family: Metric) -> Metric:
    """Returns a family with zeros if its name is one of these."""
    if family.name in names:
        family.samples = [sample._replace(value=0.0) for sample in family.samples]
    return family
