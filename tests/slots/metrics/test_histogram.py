from slots.metrics.histogram import Histogram


def test_a_value_counts_below_the_first_bound_that_it_does_not_exceed() -> None:
    histogram = Histogram([1, 5])
    for value in (0.5, 1, 1.1, 5, 6, 7):
        histogram.observe(value)
    assert (histogram.counts, histogram.total) == ([2, 2, 2], 20.6)
