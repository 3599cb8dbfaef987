"""Log probabilities: the JSON of each token's own and of the most likely ones."""

import math
from collections.abc import Sequence

from slots.llama import Vocab
from slots.requests.events import PositionLogprobs, TokenLogprob

MIN_LOGPROB = -3.4028234663852886e38
"""Stands for minus infinity, which JSON cannot spell."""


def probabilities_json(
    positions: Sequence[PositionLogprobs], vocab: Vocab, *, after_sampling: bool
) -> list[dict[str, object]]:
    """Returns `completion_probabilities`: one object per position, with the fields of the llama-like API (`content`,
    `probs`) and those of llama.cpp's server today: `id`, `token`, `bytes`, and `logprob` with `top_logprobs`, or after
    sampling `prob` with `top_probs`."""
    top_name = "top_probs" if after_sampling else "top_logprobs"
    to_json = _sampled_json if after_sampling else candidate_json
    return [
        {
            "content": token_text(position.sampled.token, vocab),
            "probs": [{"tok_str": token_text(top.token, vocab), "prob": math.exp(top.logprob)} for top in position.top],
            **to_json(position.sampled, vocab),
            top_name: [to_json(top, vocab) for top in position.top],
        }
        for position in positions
    ]


def candidate_json(probability: TokenLogprob, vocab: Vocab) -> dict[str, object]:
    return {**_token_json(probability.token, vocab), "logprob": logprob_json(probability)}


def logprob_json(probability: TokenLogprob) -> float:
    return max(probability.logprob, MIN_LOGPROB)


def token_text(token: int, vocab: Vocab) -> str:
    """Returns the text of a token, with U+FFFD for bytes that are not a whole character."""
    return vocab.display(token)


def _token_json(token: int, vocab: Vocab) -> dict[str, object]:
    return {"id": token, "token": token_text(token, vocab), "bytes": list(vocab.piece(token))}


def _sampled_json(probability: TokenLogprob, vocab: Vocab) -> dict[str, object]:
    return {**_token_json(probability.token, vocab), "prob": math.exp(probability.logprob)}
