"""Which tokens go when there are more than a slot has room for. Pure."""

LEAST_MOVABLE = 4
"""Tokens at the end of the context that may always go, however many are to be kept."""


def n_kept(n_keep: int, n_prompt: int, n_public: int, n_ctx: int, *, has_bos: bool) -> int:
    """How many tokens from the first stay.

    `n_keep` is what the request asks for: tokens behind the `n_public` of a system prompt, without BOS; -1 is all of
    the prompt, which has `n_prompt` tokens.
    """
    wanted = n_prompt if n_keep < 0 else max(n_public, int(has_bos)) + n_keep
    return min(wanted, n_prompt, n_ctx - LEAST_MOVABLE)


def discarded(n_cached: int, n_kept: int) -> tuple[int, int]:
    """The tokens [start, end) that go from a context of `n_cached` tokens: half of those that may."""
    return n_kept, n_kept + max((n_cached - n_kept) // 2, 1)


def cut_prompt(prompt: tuple[int, ...], n_kept: int, n_ctx: int) -> tuple[int, ...]:
    """A prompt that is longer than the context, cut so that there is room to go on.

    What goes is a whole number of blocks of half the space that is not kept: a conversation that grows loses the same
    tokens again and again for a while, and so finds what is left of them in the cache.
    """
    block = max((n_ctx - n_kept) // 2, 1)
    n_blocks = (len(prompt) - n_kept - block) // block
    return prompt[:n_kept] + prompt[n_kept + n_blocks * block :]
