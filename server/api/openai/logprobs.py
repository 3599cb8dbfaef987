"""Log probabilities in OpenAI's formats: one for chats, one for completions."""

from collections.abc import Sequence
from dataclasses import dataclass

from server.api.openai.protocol import ChatCompletionRequestBody, OpenAiCompletionRequestBody, OpenAiOptions
from server.generation.logprobs import candidate_json, logprob_json, token_text
from slots.errors import InvalidRequest
from slots.llama import Vocab
from slots.requests.events import PositionLogprobs


@dataclass(frozen=True, slots=True)
class LogprobsOptions:
    """Which log probabilities a response reports."""

    enabled: bool
    n_top: int
    """Number of most likely tokens at each position, besides the sampled one."""

    @property
    def n_probs(self) -> int:
        """What to request from the engine, which reports the sampled token's only together with others."""
        return max(self.n_top, 1) if self.enabled else 0


def chat_logprobs(body: ChatCompletionRequestBody) -> LogprobsOptions:
    """Returns what `logprobs` and `top_logprobs` ask for, or llama.cpp's `n_probs` if they are absent. Raises
    InvalidRequest, which names the field."""
    n_probs = _given_n_probs(body)
    enabled = n_probs > 0 if body.logprobs is None else body.logprobs
    if body.top_logprobs and not enabled:
        raise InvalidRequest("top_logprobs", 'expected "logprobs": true with it')
    return LogprobsOptions(enabled, n_probs if body.top_logprobs is None else body.top_logprobs)


def completion_logprobs(body: OpenAiCompletionRequestBody) -> LogprobsOptions:
    """Returns what `logprobs` asks for, or llama.cpp's `n_probs` if it is absent."""
    if body.logprobs is False:
        return LogprobsOptions(enabled=False, n_top=0)
    if body.logprobs is None:
        n_probs = _given_n_probs(body)
        return LogprobsOptions(n_probs > 0, n_probs)
    return LogprobsOptions(enabled=True, n_top=body.logprobs)


def _given_n_probs(body: OpenAiOptions) -> int:
    """Returns what the body itself says; a flag's default is for llama.cpp's dialect."""
    return body.n_probs if "n_probs" in body.model_fields_set else 0


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
