"""MetricsText: all series in Prometheus' text format."""

from collections.abc import Iterator

from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector, CollectorRegistry

from server.http.http_stats import HttpStats
from server.metrics.engine_families import engine_families
from server.metrics.families import Families
from server.metrics.llama_families import LlamaFamilies
from slots.engine import Engine

CONTENT_TYPE = "text/plain; version=0.0.4"


class MetricsText(Collector):
    """Reads numbers that others write, when it is asked: a number costs nothing but the writing until then."""

    def __init__(self, engine: Engine, http: HttpStats, model: str) -> None:
        self._engine = engine
        self._http = http
        self._families = Families(model)
        self._llama = LlamaFamilies(engine)
        self._process = ProcessCollector(registry=CollectorRegistry())

    def render(self) -> bytes:
        # llama.cpp has a counter without the ending that all counters have here.
        return generate_latest(self).replace(
            b"# TYPE llamacpp:n_tokens_max gauge", b"# TYPE llamacpp:n_tokens_max counter"
        )

    def collect(self) -> Iterator[Metric]:
        yield from self._llama.collect()
        yield from engine_families(self._engine, self._families)
        yield from self._http_families()
        yield from self._process.collect()

    def _http_families(self) -> Iterator[Metric]:
        responses = {(path, method, str(code)): n for (path, method, code), n in self._http.responses.items()}
        labels = ("path", "method", "code")
        yield self._families.labelled_counters("http_responses", "HTTP responses", labels, responses)
        errors = {str(code): n for code, n in self._http.errors.items()}
        yield self._families.counters("errors", "Requests that failed, also midway, by HTTP code", "code", errors)
