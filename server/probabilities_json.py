"""`completion_probabilities`: for each token, how likely it was and what the most likely ones were."""

import math
from collections.abc import Sequence

from slots.events import TokenProbabilities, TokenProbability
from slots.llama import Vocab

LOWEST_LOGPROB = -3.4028234663852886e38
"""Stands for minus infinity, which JSON cannot spell."""


def probabilities_json(
    positions: Sequence[TokenProbabilities], vocab: Vocab, *, after_sampling: bool
) -> list[dict[str, object]]:
    """Returns one object per position, with the fields of the llama-like API (`content` with `probs`) and those that
    llama.cpp's server has today: `id`, `token`, `bytes`, and `logprob` and `top_logprobs`, or, of what the samplers
    left, `prob` and `top_probs`."""
    name_of_top = "top_probs" if after_sampling else "top_logprobs"
    return [
        {
            "content": _text(position.chosen.token, vocab),
            "probs": [{"tok_str": _text(top.token, vocab), "prob": math.exp(top.logprob)} for top in position.top],
            **_candidate_json(position.chosen, vocab, after_sampling),
            name_of_top: [_candidate_json(top, vocab, after_sampling) for top in position.top],
        }
        for position in positions
    ]


def _candidate_json(probability: TokenProbability, vocab: Vocab, after_sampling: bool) -> dict[str, object]:
    candidate: dict[str, object] = {
        "id": probability.token,
        "token": _text(probability.token, vocab),
        "bytes": list(vocab.piece(probability.token)),
    }
    if after_sampling:
        candidate["prob"] = math.exp(probability.logprob)
    else:
        candidate["logprob"] = max(probability.logprob, LOWEST_LOGPROB)
    return candidate


def _text(token: int, vocab: Vocab) -> str:
    return vocab.piece(token).decode(errors="replace")
