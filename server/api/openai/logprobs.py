"""Log probabilities in OpenAI's formats: one for chats, one for completions."""

from codecs import getincrementaldecoder
from collections.abc import Sequence

from server.generation.logprobs import candidate_json, logprob_json, token_text
from slots.llama import Vocab
from slots.requests.events import PositionLogprobs


def chat_logprobs_json(positions: Sequence[PositionLogprobs], n_top: int, vocab: Vocab) -> dict[str, object]:
    return {"content": token_logprobs_json(positions, n_top, vocab), "refusal": None}


def token_logprobs_json(positions: Sequence[PositionLogprobs], n_top: int, vocab: Vocab) -> list[dict[str, object]]:
    """Returns the log probabilities of each token, with those of the `n_top` most likely ones."""
    return [
        {
            **candidate_json(position.sampled, vocab),
            "top_logprobs": [candidate_json(top, vocab) for top in position.top[:n_top]],
        }
        for position in positions
    ]


class TextOffsets:
    """Counts at which character of a text its tokens begin. A token that goes on with a character begins where the
    character does."""

    def __init__(self, vocab: Vocab, start: int = 0) -> None:
        self._vocab = vocab
        self._n_characters = start
        self._decoder = getincrementaldecoder("utf-8")("replace")

    def next(self, token: int) -> int:
        """Returns the offset of the next token, in characters."""
        offset = self._n_characters
        self._n_characters += len(self._decoder.decode(self._vocab.output_bytes(token)))
        return offset


def completion_logprobs_json(
    positions: Sequence[PositionLogprobs], n_top: int, vocab: Vocab, offsets: TextOffsets
) -> dict[str, object]:
    """Returns `logprobs` of the next tokens of a choice."""
    return {
        "tokens": [token_text(position.sampled.token, vocab) for position in positions],
        "token_logprobs": [logprob_json(position.sampled) for position in positions],
        "top_logprobs": [
            {token_text(top.token, vocab): logprob_json(top) for top in position.top[:n_top]} for position in positions
        ],
        "text_offset": [offsets.next(position.sampled.token) for position in positions],
    }
