"""Tokens that are drafted, and accepted or rejected, have the distribution that sampling alone gives."""

from typing import Any

import numpy as np
import pytest

from slots.llama import Logits
from slots.requests.draft import Proposal
from slots.requests.sampling_params import SamplingParams
from slots.sampling import ProposalSampler, RowSampler, SampledToken, Sampler
from slots.sampling.logits.workspace import Workspace
from tests.slots.sampling.factories import chi_square, chi_square_bound, make_sampler, sample_tokens

N_DRAWS = 4000
N_VOCAB = 12
ROW = np.log(np.array([30, 20, 12, 9, 8, 6, 5, 4, 3, 1, 1, 1], np.float32))
"""Logits of the model."""
DRAFT_ROW = np.log(np.array([5, 30, 12, 1, 20, 3, 9, 1, 6, 2, 7, 4], np.float32))
"""Logits of a draft model that is often wrong."""
CHAINS: dict[str, dict[str, Any]] = {
    "default": {"temperature": 0.8},
    "all tokens": {"top_k": 0, "top_p": 1.0, "min_p": 0.0, "temperature": 1.0},
    "typical": {"top_k": 0, "typical_p": 0.7, "temperature": 1.3},
    "xtc": {"xtc_probability": 0.5, "xtc_threshold": 0.1, "temperature": 1.0},
    "mirostat": {"mirostat": 2, "mirostat_tau": 2.0, "temperature": 1.0},
    "biased": {"logit_bias": ((1, -float("inf")), (4, 1.0)), "temperature": 1.0},
    "post_sampling_probs": {"n_probs": 3, "post_sampling_probs": True},
}


def proposer(seed: int, **params: Any) -> tuple[ProposalSampler, SamplingParams]:
    return ProposalSampler(N_VOCAB, seed), SamplingParams(repeat_penalty=1.0, **params)


def sample_proposed(
    chain: Sampler, n: int, row: Logits = ROW, proposal_seed: int = 5, **params: Any
) -> tuple[list[SampledToken], list[tuple[int, Proposal]]]:
    """Sample n times from the same row, each time with a token of the draft model. Returns both."""
    drawer, options = proposer(proposal_seed, **params)
    workspace, sampled, proposed = Workspace(N_VOCAB), [], []
    for _ in range(n):
        proposed.append(drawer.draw(DRAFT_ROW.copy(), options, ()))
        chain.propose(*proposed[-1])
        sampled.append(chain.sample(row.copy(), workspace))
    return sampled, proposed


def counts_of(tokens: list[int]) -> np.ndarray[Any, np.dtype[np.int_]]:
    return np.bincount(tokens, minlength=N_VOCAB)


def assert_same_distribution(one: list[int], other: list[int]) -> None:
    """By a chi-square test of two samples of the same size."""
    counts = np.array([counts_of(one), counts_of(other)])
    counts = counts[:, counts.sum(axis=0) > 0]
    both = counts.sum(axis=0) / counts.sum()
    assert sum(chi_square(row, both) for row in counts) < chi_square_bound(counts.shape[1])


@pytest.mark.parametrize("chain", [chain for chain in CHAINS if chain != "mirostat"])
def test_a_drafted_token_has_the_distribution_of_the_chain(chain: str) -> None:
    options = CHAINS[chain]
    drafted, _ = sample_proposed(make_sampler(N_VOCAB, seed=3, **options), N_DRAWS, temperature=1.0)
    alone = sample_tokens(make_sampler(N_VOCAB, seed=4, **options), ROW, N_DRAWS)
    assert_same_distribution([each.token for each in drafted], alone)


def test_mirostat_follows_the_tokens_whether_they_are_drafted_or_not() -> None:
    pairs: tuple[list[int], list[int]] = ([], [])
    for seed in range(1000):
        for is_drafted in (False, True):
            chain = make_sampler(N_VOCAB, seed=2 * seed + is_drafted, **CHAINS["mirostat"], mirostat_eta=1.0)
            if is_drafted:
                sampled, _ = sample_proposed(chain, 2, proposal_seed=seed, temperature=1.0)
                first, second = (each.token for each in sampled)
            else:
                first, second = sample_tokens(chain, ROW, 2)
            pairs[is_drafted].append((first == 0) * 2 + (second == 0))
    assert_same_distribution(*pairs)


def test_as_many_are_accepted_as_the_distributions_have_in_common() -> None:
    options = CHAINS["all tokens"]
    sampled, proposed = sample_proposed(make_sampler(N_VOCAB, **options), N_DRAWS, **options)
    n_accepted = sum(each.token == token for each, (token, _) in zip(sampled, proposed, strict=True))
    p, q = (np.exp(row - np.logaddexp.reduce(row)) for row in (ROW, DRAFT_ROW))
    assert n_accepted / N_DRAWS == pytest.approx(np.minimum(p, q).sum(), abs=0.03)
    best = int(DRAFT_ROW.argmax())
    assert np.minimum(p, q).sum() > p[best]  # what drafting the most likely token would give


def test_a_token_that_the_chain_excludes_is_never_accepted() -> None:
    certain = Proposal(np.array([5]), np.ones(1))
    chain = make_sampler(N_VOCAB, logit_bias=((5, -float("inf")),))
    for _ in range(100):
        chain.propose(5, certain)
        assert chain.sample(ROW.copy(), Workspace(N_VOCAB)).token != 5


def test_what_both_models_are_certain_of_is_accepted() -> None:
    chain = make_sampler(N_VOCAB, top_k=1)
    for _ in range(100):
        chain.propose(0, Proposal(np.array([0]), np.ones(1)))
        assert chain.sample(ROW.copy(), Workspace(N_VOCAB)).token == 0


def test_a_proposal_is_for_one_token_only() -> None:
    chain, alone = make_sampler(N_VOCAB, seed=9), make_sampler(N_VOCAB, seed=9)
    chain.propose(3, Proposal(np.array([3]), np.ones(1)))
    assert chain.has_proposal
    chain.sample(ROW.copy(), Workspace(N_VOCAB))
    assert not chain.has_proposal
    assert len(set(sample_tokens(chain, ROW, 200))) == len(set(sample_tokens(alone, ROW, 200)))


def test_a_greedy_chain_takes_no_notice_of_a_proposal() -> None:
    chain = make_sampler(N_VOCAB, temperature=0.0)
    chain.propose(3, Proposal(np.array([3]), np.ones(1)))
    assert sample_tokens(chain, ROW, 3) == [0, 0, 0]


def test_probabilities_are_those_of_the_chain_whether_it_is_accepted_or_not() -> None:
    options: dict[str, Any] = {"n_probs": 4, "post_sampling_probs": True, "temperature": 1.0, "top_k": 6}
    alone = make_sampler(N_VOCAB, **options)
    expected = {}
    for _ in range(300):
        sampled = alone.sample(ROW.copy(), Workspace(N_VOCAB))
        assert sampled.logprobs
        expected[sampled.token] = sampled.logprobs
    for sampled in sample_proposed(make_sampler(N_VOCAB, **options), 300)[0]:
        assert sampled.logprobs == expected[sampled.token]


def test_rows_with_and_without_a_proposal_are_sampled_in_one_step_and_may_change_in_the_next() -> None:
    size = 4000
    row = np.random.default_rng(1).standard_normal(size).astype(np.float32)
    certain = int(row.argmax())
    chains = [make_sampler(size, seed=seed) for seed in range(4)]
    alone = [make_sampler(size, seed=seed) for seed in range(4)]
    rows, rows_alone = RowSampler(size, 4, 1), RowSampler(size, 3, 1)
    for step in range(40):
        is_proposed = step % 4 >= 2
        if is_proposed:
            chains[2].propose(certain, Proposal(np.array([certain]), np.array([1e-9])))
        results = rows.sample(chains, np.stack([row] * 4), range(4))
        tokens = [each.token for each in results if isinstance(each, SampledToken)]
        assert tokens[2] == certain or not is_proposed
        others = rows_alone.sample([alone[n] for n in (0, 1, 3)], np.stack([row] * 3), range(3))
        assert [tokens[n] for n in (0, 1, 3)] == [each.token for each in others if isinstance(each, SampledToken)]


def test_a_proposal_is_made_as_the_request_samples() -> None:
    drawer = ProposalSampler(N_VOCAB, seed=5)
    params = SamplingParams(top_k=3, top_p=1.0, min_p=0.0, temperature=0.5, repeat_penalty=1.0)
    token, proposal = drawer.draw(DRAFT_ROW.copy(), params, ())
    assert token in proposal.tokens.tolist() == [1, 4, 2]
    weights = np.array([30.0, 20.0, 12.0]) ** 2
    assert proposal.probabilities == pytest.approx(weights / weights.sum(), rel=1e-4)
    _, penalized = drawer.draw(DRAFT_ROW.copy(), params.replace(repeat_penalty=10.0), [1] * 300)
    assert penalized.tokens.tolist() == [4, 2, 6]
