"""Log probabilities in OpenAI's formats: one for chats, one for completions."""

from collections.abc import Sequence

from server.generation.logprobs import candidate_json, logprob_json, token_text
from slots.llama import Vocab
from slots.requests.events import PositionLogprobs


def chat_logprobs_json(positions: Sequence[PositionLogprobs], n_top: int, vocab: Vocab) -> dict[str, object]:
    content = [
        {
            **candidate_json(position.sampled, vocab),
            "top_logprobs": [candidate_json(top, vocab) for top in position.top[:n_top]],
        }
        for position in positions
    ]
    return {"content": content, "refusal": None}


def completion_logprobs_json(
    positions: Sequence[PositionLogprobs], n_top: int, vocab: Vocab, offset: int
) -> dict[str, object]:
    """Returns `logprobs` of a choice; the tokens begin at the character `offset` of its text."""
    tokens = [token_text(position.sampled.token, vocab) for position in positions]
    offsets = []
    for token in tokens:
        offsets.append(offset)
        offset += len(token)
    return {
        "tokens": tokens,
        "token_logprobs": [logprob_json(position.sampled) for position in positions],
        "top_logprobs": [
            {token_text(top.token, vocab): logprob_json(top) for top in position.top[:n_top]} for position in positions
        ],
        "text_offset": offsets,
    }
