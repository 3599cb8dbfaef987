"""`completion_probabilities`: for each token, how likely it was and what the most likely ones were."""

import math
from collections.abc import Sequence

from slots.events import TokenProbabilities, TokenProbability
from slots.llama import Vocab

LOWEST_LOGPROB = -3.4028234663852886e38
"""Stands for minus infinity, which JSON cannot spell."""


def probabilities_json(positions: Sequence[TokenProbabilities], vocab: Vocab) -> list[dict[str, object]]:
    """Returns one object per position, with the fields of the llama-like API (`content` with `probs`) and those that
    llama.cpp's server has today (`id`, `token`, `bytes`, `logprob`, `top_logprobs`)."""
    return [
        {
            "content": _text(position.chosen.token, vocab),
            "probs": [{"tok_str": _text(top.token, vocab), "prob": math.exp(top.logprob)} for top in position.top],
            **_logprob_json(position.chosen, vocab),
            "top_logprobs": [_logprob_json(top, vocab) for top in position.top],
        }
        for position in positions
    ]


def _logprob_json(probability: TokenProbability, vocab: Vocab) -> dict[str, object]:
    return {
        "id": probability.token,
        "token": _text(probability.token, vocab),
        "bytes": list(vocab.piece(probability.token)),
        "logprob": max(probability.logprob, LOWEST_LOGPROB),
    }


def _text(token: int, vocab: Vocab) -> str:
    return vocab.piece(token).decode(errors="replace")
