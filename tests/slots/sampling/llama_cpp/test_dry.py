"""DRY against llama.cpp's own, on texts with many repetitions in the bundled model's vocabulary."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.sampling.llama_samplers import LlamaSampler, llama_dry
from slots.llama import Model
from slots.requests.sampling_params import SamplingParams
from slots.sampling.samplers.dry import Dry
from slots.sampling.sequence_breakers import SequenceBreakerFinder
from tests.slots.sampling.factories import KINDS, examples, floats32, make_row
from tests.slots.sampling.llama_cpp.oracle import apply_llama_sampler, assert_same, full_row, get_remaining

TEXTS = (
    "The cat sat on the mat. The cat sat on the mat. The cat sat on the",
    "one two: three four\none two: three four\none two: three",
    "a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a",
    'She said "yes" and "yes" and then, at last, she said "yes" and "no" and',
    "Tim and Tom and Tim and Tom and Tim and Tim and Tom and",
)
BREAKERS = (("\n", ":", '"', "*"), (), ("the", " and T"), ("on the mat", "o:"), ("Tom and Tim",))


@pytest.mark.parametrize("breakers", BREAKERS)
@pytest.mark.parametrize(
    "options",
    [
        SamplingParams(dry_multiplier=0.8, dry_base=1.75, dry_allowed_length=2, dry_penalty_last_n=64),
        SamplingParams(dry_multiplier=2.0, dry_base=1.1, dry_allowed_length=0, dry_penalty_last_n=64),
        SamplingParams(dry_multiplier=0.5, dry_base=3.0, dry_allowed_length=1, dry_penalty_last_n=20),
        SamplingParams(dry_multiplier=1.0, dry_base=1.0, dry_allowed_length=4, dry_penalty_last_n=1000),
        SamplingParams(dry_multiplier=30.0, dry_base=100.0, dry_allowed_length=2, dry_penalty_last_n=1000),
    ],
)
def test_dry(bundled_model: Model, breakers: tuple[str, ...], options: SamplingParams) -> None:
    params = options.replace(dry_sequence_breakers=breakers)
    vocab = bundled_model.vocab
    found = SequenceBreakerFinder(vocab).find(breakers)
    row = np.random.default_rng(1).standard_normal(vocab.n_tokens).astype(np.float32)
    for text in TEXTS:
        tokens = vocab.tokenize(text, add_special=False, parse_special=False)
        row[tokens] += 5  # so that the penalties show
        ours = Dry(params, tokens[:10], n_ctx=2000, breakers=found)
        with LlamaSampler(llama_dry(params, bundled_model)) as theirs:
            for token in tokens[:10]:
                theirs.accept(token)
            for token in tokens[10:]:
                candidates = full_row(row)
                ours(candidates)
                assert_same(row, get_remaining(candidates), apply_llama_sampler(theirs, row))
                ours.accept(token)
                theirs.accept(token)


def any_options(
    multipliers: st.SearchStrategy[float], bases: st.SearchStrategy[float]
) -> st.SearchStrategy[SamplingParams]:
    return st.builds(
        SamplingParams,
        dry_multiplier=multipliers,
        dry_base=bases,
        dry_allowed_length=st.integers(0, 8),
        dry_penalty_last_n=st.one_of(st.integers(1, 20), st.integers(21, 100)),
        dry_sequence_breakers=st.sampled_from(BREAKERS),
    )


finite = st.one_of(
    any_options(floats32(0.01, 5), st.one_of(floats32(1, 1.25), floats32(1, 3))),
    any_options(floats32(5, 10_000), st.sampled_from([1.0, 1.125, 3.0])),
    any_options(floats32(1e-6, 1e-3), floats32(3, 1000)),
)
"""Options with which no penalty becomes infinite in llama.cpp."""
phrases = st.lists(st.integers(0, 9), min_size=1, max_size=6)
repetitive = st.builds(
    lambda phrase, n, other, m: phrase * n + other + phrase * m, phrases, st.integers(3, 12), phrases, st.integers(0, 8)
)
"""Texts of the first few tokens of one, by their places in it."""


@examples(120)
@given(finite, repetitive, st.floats(0, 1), st.tuples(st.integers(0, 2**32 - 1), st.sampled_from(KINDS)))
def test_dry_with_any_options(
    bundled_model: Model, params: SamplingParams, places: list[int], prompt: float, seed_and_kind: tuple[int, str]
) -> None:
    """On rows of any kind; in most of them, the tokens of the text are likely, so that the penalties show."""
    vocab = bundled_model.vocab
    words = vocab.tokenize(TEXTS[1], add_special=False, parse_special=False)
    tokens = [words[place] for place in places]
    seed, kind = seed_and_kind
    some = np.unique(tokens)
    row = make_row(seed, vocab.n_tokens, kind)
    row[some] = make_row(seed + 1, some.size, kind) + (row.max() if seed % 4 else 0)
    n_prompt = int(prompt * len(tokens))
    ours = Dry(params, tokens[:n_prompt], 2000, SequenceBreakerFinder(vocab).find(params.dry_sequence_breakers))
    for token in tokens[n_prompt:]:
        ours.accept(token)
    candidates = full_row(row)
    ours(candidates)
    with LlamaSampler(llama_dry(params, bundled_model)) as theirs:
        for token in tokens:
            theirs.accept(token)
        assert_same(row, get_remaining(candidates), apply_llama_sampler(theirs, row))


@pytest.mark.parametrize("breaker", ["\n", " the", "and", ", and", "ing the", "é", "x" * 60])
def test_the_sequences_of_a_breaker(bundled_model: Model, breaker: str) -> None:
    """A text of any two tokens is interrupted where llama.cpp thinks so."""
    vocab = bundled_model.vocab
    params = SamplingParams(dry_multiplier=1.0, dry_allowed_length=1, dry_sequence_breakers=(breaker,))
    found = SequenceBreakerFinder(vocab).find((breaker,))
    row = np.zeros(vocab.n_tokens, np.float32)
    tokens = vocab.tokenize(f"ran and, and the king{breaker}the ring, and", add_special=False, parse_special=False)
    for first, second in itertools.product(dict.fromkeys(tokens), repeat=2):
        text = [first, second, 300, first, second]
        ours = Dry(params, text, n_ctx=100, breakers=found)
        with LlamaSampler(llama_dry(params, bundled_model)) as theirs:
            for token in text:
                theirs.accept(token)
            candidates = full_row(row)
            ours(candidates)
            assert_same(row, get_remaining(candidates), apply_llama_sampler(theirs, row))
