"""When requests come, if nobody waits for the answer to the last one before the next is sent."""

import numpy as np


def poisson_arrivals(n_requests: int, per_second: float, random: np.random.Generator) -> list[float]:
    """Returns the seconds from the start to each request, in order. The times between them are independent of each
    other and `1 / per_second` on average."""
    arrivals: list[float] = np.cumsum(random.exponential(1 / per_second, n_requests)).tolist()
    return arrivals


def shuffled_kinds(n_requests: int, n_long: int, random: np.random.Generator) -> list[bool]:
    """Returns for each request whether it is one of the `n_long` long ones, which are anywhere among them."""
    is_long: list[bool] = (random.permutation(n_requests) < n_long).tolist()
    return is_long
