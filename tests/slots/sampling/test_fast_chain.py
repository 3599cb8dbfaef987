"""Rows with fast chains get the same result together and alone, to the last bit."""

import warnings
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from slots.requests.sampling_params import SamplerName
from slots.sampling import RowSampler, SampledToken
from tests.slots.sampling.factories import KINDS, examples, make_row
from tests.slots.sampling.test_extreme_options import Options, biases, make_sampler, option_values

N_TOKENS = 3

fast_orders = st.sampled_from(
    [
        (SamplerName.PENALTIES, SamplerName.TOP_K, SamplerName.TOP_P, SamplerName.MIN_P, SamplerName.TEMPERATURE),
        (SamplerName.PENALTIES, SamplerName.DRY, SamplerName.TOP_K, SamplerName.MIN_P, SamplerName.TEMPERATURE),
        (SamplerName.TOP_K, SamplerName.TOP_P),
        (SamplerName.PENALTIES, SamplerName.TOP_K, SamplerName.TEMPERATURE),
    ]
)
names = ("temperature", "top_p", "min_p", "min_keep", "repeat_penalty", "presence_penalty", "frequency_penalty")
options = st.fixed_dictionaries(
    {"samplers": fast_orders, "top_k": st.sampled_from([1, 2, 17, 40])},
    optional={
        **{name: option_values(name) for name in (*names, "repeat_last_n", "dry_multiplier")},
        **{name: st.floats(0.01, 1.0) for name in ("top_p", "min_p")},
        "temperature": st.floats(0.1, 3.0),
        "logit_bias": biases.map(tuple),
        "penalize_nl": st.booleans(),
    },
)


def as_comparable(results: list[SampledToken | Exception]) -> list[Any]:
    return [result.token if isinstance(result, SampledToken) else str(result) for result in results]


@examples(200)
@given(
    st.lists(options, min_size=2, max_size=4),
    st.sampled_from([700, 3_000]),
    st.integers(0, 1000),
    st.sampled_from(KINDS),
)
def test_choices_are_the_same_together_and_alone(some: list[Options], size: int, seed: int, kind: str) -> None:
    together, alone = ([make_sampler(options, size) for options in some] for _ in range(2))
    row_sampler = RowSampler(size, len(some), 1)
    kinds = [kind, *["normal"] * (len(some) - 1)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for token in range(N_TOKENS):
            rows = np.stack([make_row(seed + 10 * token + i, size, kind) for i, kind in enumerate(kinds)])
            expected = [
                row_sampler.sample([sampler], row[None].copy(), [0])[0]
                for sampler, row in zip(alone, rows, strict=True)
            ]
            assert as_comparable(row_sampler.sample(together, rows.copy(), range(len(rows)))) == as_comparable(expected)
