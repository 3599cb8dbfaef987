"""Whether a model can draft for another."""

from slots.errors import ModelLoadError
from slots.llama import Vocab

_MOST_MORE = 128
"""Tokens that one may have more than the other: some models are padded."""

_FIRST_COMPARED = 5
"""Token whose text has to be the same, and all behind it; those before are special ones that go by other names."""


def check_same_vocabulary(vocab: Vocab, draft: Vocab) -> None:
    """Raises ModelLoadError, by llama.cpp's rules, if tokens do not mean the same to both."""
    reason = _difference(vocab, draft)
    if reason:
        raise ModelLoadError(f"the draft model cannot guess for this model: {reason}")


def _difference(vocab: Vocab, draft: Vocab) -> str | None:
    if vocab.kind != draft.kind:
        return f"its vocabulary is of the kind {draft.kind}, expected {vocab.kind}"
    if vocab.add_bos != draft.add_bos or (vocab.add_bos and vocab.bos != draft.bos):
        return "its texts begin with another token"
    if vocab.add_eos != draft.add_eos or (vocab.add_eos and vocab.eos != draft.eos):
        return "its texts end with another token"
    if abs(vocab.n_tokens - draft.n_tokens) > _MOST_MORE:
        return f"it has {draft.n_tokens} tokens, expected about {vocab.n_tokens}"
    for token in range(_FIRST_COMPARED, min(vocab.n_tokens, draft.n_tokens)):
        if vocab.name_of(token) != draft.name_of(token):
            return f"token {token} is {draft.name_of(token)!r} to it, expected {vocab.name_of(token)!r}"
    return None
