"""Families: builders of prometheus_client's metric families, whose series have the name of the model as a label."""

from collections.abc import Iterable, Mapping
from math import inf, isinf

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from slots.metrics.histogram import Histogram

PREFIX = "llama_slots_"
MODEL_LABEL = "model_name"


class Families:
    """Makes the families of one model."""

    def __init__(self, model: str) -> None:
        self._model = model

    def gauge(self, name: str, description: str, value: float) -> Metric:
        return self._add(GaugeMetricFamily(PREFIX + name, description, labels=[MODEL_LABEL]), [((), value)])

    def gauges(self, name: str, description: str, label: str, values: Mapping[str, float]) -> Metric:
        """Returns a family with a series for each value of another label."""
        family = GaugeMetricFamily(PREFIX + name, description, labels=[MODEL_LABEL, label])
        return self._add(family, (((text,), value) for text, value in values.items()))

    def counter(self, name: str, description: str, value: float) -> Metric:
        """`name` is without the ending `_total`."""
        return self._add(CounterMetricFamily(PREFIX + name, description, labels=[MODEL_LABEL]), [((), value)])

    def counters(self, name: str, description: str, label: str, values: Mapping[str, float]) -> Metric:
        """Returns a family with a series for each value of another label."""
        family = CounterMetricFamily(PREFIX + name, description, labels=[MODEL_LABEL, label])
        return self._add(family, (((text,), value) for text, value in values.items()))

    def labelled_counters(
        self, name: str, description: str, labels: Iterable[str], values: Mapping[tuple[str, str, str], float]
    ) -> Metric:
        """Returns a family with a series for each combination of three other labels."""
        return self._add(CounterMetricFamily(PREFIX + name, description, labels=[MODEL_LABEL, *labels]), values.items())

    def histogram(self, name: str, description: str, histogram: Histogram) -> Metric:
        family = HistogramMetricFamily(PREFIX + name, description, labels=[MODEL_LABEL])
        buckets: list[tuple[str, float]] = []
        n_values = 0
        for bound, count in zip((*histogram.bounds, inf), list(histogram.counts), strict=True):
            n_values += count
            buckets.append(("+Inf" if isinf(bound) else repr(float(bound)), n_values))
        family.add_metric([self._model], buckets, histogram.total)
        return family

    def _add(
        self, family: GaugeMetricFamily | CounterMetricFamily, series: Iterable[tuple[tuple[str, ...], float]]
    ) -> Metric:
        """Gives a family its series: the values of the labels after the model's, and the value of each."""
        for texts, value in series:
            family.add_metric([self._model, *texts], value)
        return family
