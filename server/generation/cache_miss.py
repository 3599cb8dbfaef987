"""cache_miss_json: where a prompt parted from what was cached, and why, as responses tell it."""

from server.generation.completion_output import CompletionOutput, timings_json
from slots.llama import Vocab
from slots.requests.cache_use import CacheMiss, MissReason
from slots.requests.events import Finished
from slots.requests.media import text_tokens
from slots.requests.request import CompletionRequest

N_TOKENS = 16
"""Tokens of the prompt that are shown from where it parted."""

SECRET_REASONS = frozenset({MissReason.OTHER_SALT})
"""A client that learned of this would know what texts others have sent, which a salt is to prevent."""


def cache_miss_json(
    miss: CacheMiss | None, request: CompletionRequest, vocab: Vocab | None
) -> dict[str, object] | None:
    """Returns the member `cache_miss`, for the client whose request it is if there is a `vocab`: with the text of the
    first tokens that had to be computed, unless they are of a system prompt, which another client may have set. None if
    everything was found, or nothing like it is known to the client."""
    if miss is None or miss.reason in SECRET_REASONS:
        return None
    at_token = miss.at_token
    found: dict[str, object] = {"at_token": at_token, "reason": miss.reason}
    if vocab is not None and at_token >= request.scope.n_public:
        found["text"] = vocab.display_all(text_tokens(request.prompt[at_token : at_token + N_TOKENS]))
    return found


def work_json(output: CompletionOutput, finished: Finished, vocab: Vocab) -> dict[str, object]:
    """Returns the members of a response in a dialect other than llama.cpp's that say what it cost, and why."""
    miss = cache_miss_json(finished.cache_miss, output.request, vocab)
    return {"timings": timings_json(finished.timings), "cache_miss": miss}
