"""DRY against llama.cpp's own, on texts with many repetitions in the bundled model's vocabulary."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.llama_samplers import LlamaSampler, llama_dry
from slots.llama import Model
from slots.sampling.breakers import BreakerFinder
from slots.sampling.dry import Dry
from slots.sampling_params import SamplingParams
from tests.slots.sampling.oracle import assert_same, of_candidates, of_sampler, whole

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
    params = replace(options, dry_sequence_breakers=breakers)
    vocab = bundled_model.vocab
    found = BreakerFinder(vocab).find(breakers)
    row = np.random.default_rng(1).standard_normal(vocab.n_tokens).astype(np.float32)
    for text in TEXTS:
        tokens = vocab.tokenize(text, add_special=False, parse_special=False)
        row[tokens] += 5  # so that the penalties show
        ours = Dry(params, tokens[:10], n_ctx=2000, breakers=found)
        with LlamaSampler(llama_dry(params, bundled_model)) as theirs:
            for token in tokens[:10]:
                theirs.accept(token)
            for token in tokens[10:]:
                candidates = whole(row)
                ours(candidates)
                assert_same(row, of_candidates(candidates), of_sampler(theirs, row))
                ours.accept(token)
                theirs.accept(token)


@pytest.mark.parametrize("breaker", ["\n", " the", "and", ", and", "ing the", "é", "x" * 60])
def test_the_sequences_of_a_breaker(bundled_model: Model, breaker: str) -> None:
    """A text of any two tokens is interrupted where llama.cpp thinks so."""
    vocab = bundled_model.vocab
    params = SamplingParams(dry_multiplier=1.0, dry_allowed_length=1, dry_sequence_breakers=(breaker,))
    found = BreakerFinder(vocab).find((breaker,))
    row = np.zeros(vocab.n_tokens, np.float32)
    tokens = vocab.tokenize(f"ran and, and the king{breaker}the ring, and", add_special=False, parse_special=False)
    for first, second in itertools.product(dict.fromkeys(tokens), repeat=2):
        text = [first, second, 300, first, second]
        ours = Dry(params, text, n_ctx=100, breakers=found)
        with LlamaSampler(llama_dry(params, bundled_model)) as theirs:
            for token in text:
                theirs.accept(token)
            candidates = whole(row)
            ours(candidates)
            assert_same(row, of_candidates(candidates), of_sampler(theirs, row))
