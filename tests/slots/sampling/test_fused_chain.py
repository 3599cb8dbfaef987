"""The sampling kernel gives the same tokens as the samplers one after the other, to the last bit."""

import warnings
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grammar.matcher import Matcher
from slots.llama import Logits
from slots.requests.sampling_params import SamplerName, SamplingParams
from slots.sampling import RowSampler, SampledToken, Sampler
from slots.sampling.logits import sampling_kernel
from slots.sampling.logits.candidates import MAX_TOP_K
from slots.sampling.logits.workspace import Workspace
from tests.slots.sampling.factories import KINDS, examples, make_context, make_row, with_compiled_part
from tests.slots.sampling.factories import make_sampler as make_plain_sampler
from tests.slots.sampling.logits.test_bitmask import make_words
from tests.slots.sampling.samplers.test_grammar_mask import SomeTokens
from tests.slots.sampling.test_extreme_options import Options, biases, make_sampler, option_values

N_TOKENS = 3
PENALTIES, DRY, TOP_K = SamplerName.PENALTIES, SamplerName.DRY, SamplerName.TOP_K
TOP_P, MIN_P, TEMPERATURE = SamplerName.TOP_P, SamplerName.MIN_P, SamplerName.TEMPERATURE

fused_orders = st.sampled_from(
    [
        (PENALTIES, TOP_K, TOP_P, MIN_P, TEMPERATURE),
        (PENALTIES, DRY, TOP_K, MIN_P, TEMPERATURE),
        (TOP_K, TOP_P),
        (PENALTIES, TOP_K, TEMPERATURE),
        (PENALTIES, TOP_K),
    ]
)
names = ("temperature", "top_p", "min_p", "min_keep", "repeat_penalty", "presence_penalty", "frequency_penalty")
options = st.fixed_dictionaries(
    {"samplers": fused_orders, "top_k": st.sampled_from([1, 2, 17, 40, 300, 512])},
    optional={
        **{name: option_values(name) for name in (*names, "repeat_last_n", "dry_multiplier")},
        **{name: st.floats(0.01, 1.0) for name in ("top_p", "min_p")},
        "temperature": st.sampled_from([0.0, 1e-46, 1e-35, 0.1, 0.8, 1.0, 3.0, 1e35]),
        "logit_bias": biases.map(tuple),
        "penalize_nl": st.booleans(),
    },
)
broken = st.sampled_from([None, "nan", "-nan", "inf", "both infinities", "huge"])


def break_row(row: Logits, how: str | None, seed: int) -> None:
    """Put logits into a row that no model should give."""
    first, second = np.random.default_rng(seed).integers(row.size, size=2)
    match how:
        case "nan":
            row[first] = np.nan
        case "-nan":
            row[first] = -np.float32(np.nan)
        case "inf":
            row[first] = np.inf
        case "both infinities":
            row[first], row[second] = np.inf, -np.inf
        case "huge":
            row[first], row[second] = 3e38, -3e38


def as_comparable(results: list[SampledToken | Exception]) -> list[Any]:
    return [result.token if isinstance(result, SampledToken) else str(result) for result in results]


def sample_alone(sampler: Sampler, row: Logits) -> SampledToken | Exception:
    """Sample a row as the samplers' definition says."""
    try:
        return sampler.sample(row, Workspace(row.size))
    except Exception as error:
        return error


@examples(300)
@given(
    st.lists(st.tuples(options, st.sampled_from(KINDS), broken), min_size=1, max_size=4),
    st.sampled_from([1, 30, 700, 3_000, 20_000]),
    st.integers(0, 1000),
    st.booleans(),
)
def test_tokens_are_those_of_the_samplers(
    some: list[tuple[Options, str, str | None]], size: int, seed: int, is_compiled: bool
) -> None:
    kernel = RowSampler(size, len(some), 1)
    together = [make_sampler(options, size) for options, _kind, _broken in some]
    assert all(sampler.fused for sampler in together if sampler.traits.fused_params)
    with warnings.catch_warnings(), with_compiled_part(enabled=is_compiled):
        warnings.simplefilter("error")
        alone = [make_sampler(options, size) for options, _kind, _broken in some]
        for token in range(N_TOKENS):
            rows = np.stack([make_row(seed + 10 * token + i, size, kind) for i, (_, kind, _b) in enumerate(some)])
            for i, (_options, _kind, how) in enumerate(some):
                break_row(rows[i], how, seed + i)
            expected = [sample_alone(sampler, row.copy()) for sampler, row in zip(alone, rows, strict=True)]
            assert as_comparable(kernel.sample(together, rows, range(len(rows)))) == as_comparable(expected)


@examples(100)
@given(options, st.sampled_from([0.0, 0.001, 0.05, 0.5, 1.0]), st.sampled_from(KINDS), broken, st.integers(0, 1000))
def test_tokens_are_those_of_the_samplers_under_a_grammar(
    options: Options, share: float, kind: str, how: str | None, seed: int
) -> None:
    """With few and with many tokens allowed, and logits of tokens that are not allowed that are no numbers."""
    size = 20_001
    random = np.random.default_rng(seed)
    is_allowed = random.random(size) < share
    is_allowed[random.integers(size)] = True
    words = make_words(size, set(is_allowed.nonzero()[0].tolist()))
    fused, alone = (
        Sampler(
            SamplingParams(**{**options, "logit_bias": (), "seed": 3}),
            [1, 2, 3],
            make_context(size),
            cast(Matcher, SomeTokens(words)),
        )
        for _ in range(2)
    )
    kernel = RowSampler(size, 1, 1)
    for token in range(2):
        row = make_row(seed + token, size, kind)
        break_row(row, how, seed)
        expected = sample_alone(alone, row.copy())
        assert as_comparable(kernel.sample([fused], row[None], [0])) == as_comparable([expected])


@pytest.mark.parametrize("n_rows", [2, 5, 16])
def test_tokens_are_the_same_on_several_threads(n_rows: int) -> None:
    size, kinds = 152_000, [KINDS[n % len(KINDS)] for n in range(n_rows)]
    one, three = RowSampler(size, n_rows, 1), RowSampler(size, n_rows, 3)
    here, there = ([make_plain_sampler(size, seed=seed) for seed in range(n_rows)] for _ in range(2))
    for token in range(2):
        rows = np.stack([make_row(token + 10 * n, size, kind) for n, kind in enumerate(kinds)])
        assert one.sample(here, rows.copy(), range(n_rows)) == three.sample(there, rows, range(n_rows))
    three.close()


def test_a_text_has_the_tokens_that_its_seed_gave_before() -> None:
    size = 5_000
    sampler = make_plain_sampler(size, prompt=range(40), seed=11, repeat_penalty=1.1, frequency_penalty=0.2)
    rows = [make_row(seed, size, "normal") * np.float32(3) for seed in range(12)]
    kernel = RowSampler(size, 1, 1)
    tokens = as_comparable([kernel.sample([sampler], row[None], [0])[0] for row in rows])
    assert tokens == [3801, 4912, 2524, 4633, 1138, 2488, 4786, 416, 2733, 2054, 1603, 1071]


def test_the_kernel_knows_how_many_candidates_the_samplers_weigh_as_it_does() -> None:
    assert sampling_kernel.MAX_TOP_K == MAX_TOP_K


def sample_directly(shape: tuple[int, int], index: int, n_words: int | None = None, n_ids: int | None = None) -> None:
    fused = make_plain_sampler(64).fused
    assert fused
    allowed: list[Any] = [] if n_words is None else [cast(Any, SomeMask(np.ones(n_words, np.uint32)))]
    ids = None if n_ids is None else np.zeros((1, n_ids), np.int32)
    kernel = sampling_kernel.SamplingKernel()
    kernel.sample([fused.kernel_row.chain], np.zeros(shape, np.float32), [index], allowed, 1, ids)


class SomeMask:
    is_sparse = False

    def __init__(self, words: Any) -> None:
        self.words = words


@pytest.mark.parametrize("index", [-1, 2])
def test_a_row_beyond_the_logits_is_refused(index: int) -> None:
    with pytest.raises(IndexError, match="expected a row of 2"):
        sample_directly((2, 64), index)


def test_a_mask_of_too_few_tokens_is_refused() -> None:
    sample_directly((1, 64), 0, n_words=2)
    with pytest.raises(ValueError, match="expected a mask of 64 tokens"):
        sample_directly((1, 64), 0, n_words=1)


@pytest.mark.parametrize(("indices", "n_masks"), [([0, 0], 0), ([], 0), ([0], 2)])
def test_rows_or_masks_that_are_not_as_many_as_chains_are_refused(indices: list[int], n_masks: int) -> None:
    fused = make_plain_sampler(64).fused
    assert fused
    kernel = sampling_kernel.SamplingKernel()
    with pytest.raises(ValueError, match="expected as many rows and masks as chains"):
        kernel.sample([fused.kernel_row.chain], np.zeros((1, 64), np.float32), indices, [None] * n_masks, 1)


def test_tokens_that_are_not_as_many_as_logits_are_refused() -> None:
    sample_directly((1, 64), 0, n_ids=64)
    with pytest.raises(ValueError, match="expected as many tokens as logits"):
        sample_directly((1, 64), 0, n_ids=63)
