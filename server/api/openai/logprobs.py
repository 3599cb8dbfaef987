"""Log probabilities as OpenAI spells them: once for chats, once for completions."""

from collections.abc import Sequence
from dataclasses import dataclass

from server.generation.logprobs import candidate_json, logprob_json, token_text
from server.http.fields import Fields, invalid_value, read_boolean, read_integer
from slots.errors import InvalidRequest
from slots.llama import Vocab
from slots.requests.events import PositionLogprobs
from slots.requests.sampling_params import MAX_N_PROBS


@dataclass(frozen=True, slots=True)
class LogprobsOptions:
    """Which ones a request wants to see."""

    enabled: bool
    n_top: int
    """Most likely tokens of each position besides the one that was chosen."""

    @property
    def n_probs(self) -> int:
        """What to ask the engine for, which tells the chosen token's only together with others."""
        return max(self.n_top, 1) if self.enabled else 0


def read_chat_logprobs(fields: Fields) -> LogprobsOptions:
    """Returns what `logprobs` and `top_logprobs` ask for, or llama.cpp's `n_probs` where they are absent.

    Raises InvalidRequest, which names the field.
    """
    n_probs = _count(fields, "n_probs", 0)
    shown = read_boolean(fields, "logprobs", n_probs > 0)
    if fields.get("top_logprobs") and not shown:
        raise InvalidRequest("top_logprobs", 'expected "logprobs": true with it')
    return LogprobsOptions(shown, _count(fields, "top_logprobs", n_probs))


def read_completion_logprobs(fields: Fields) -> LogprobsOptions:
    """Returns what `logprobs` asks for, which is a number here, or llama.cpp's `n_probs` where it is absent.

    Raises InvalidRequest, which names the field.
    """
    if fields.get("logprobs") is False:
        return LogprobsOptions(enabled=False, n_top=0)
    name = "logprobs" if fields.get("logprobs") is not None else "n_probs"
    n_top = _count(fields, name, 0)
    return LogprobsOptions(name == "logprobs" or n_top > 0, n_top)


def _count(fields: Fields, name: str, default: int) -> int:
    count = read_integer(fields, name, default)
    if not 0 <= count <= MAX_N_PROBS:
        raise invalid_value(name, f"a number from 0 to {MAX_N_PROBS}", count)
    return count


def chat_logprobs_json(positions: Sequence[PositionLogprobs], n_top: int, vocab: Vocab) -> dict[str, object]:
    """Returns `logprobs` of a chat's choice."""
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
    """Returns `logprobs` of a completion's choice whose text begins `offset` characters into the whole."""
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
