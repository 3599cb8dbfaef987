"""Media rows: the embeddings and positions of the media that a step computes, and which of them one batch can hold."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from slots.llama import MediaRows
from slots.requests.media import MediaChunk
from slots.scheduling.scheduler import ScheduledSlot


def media_rows(scheduled: ScheduledSlot, *, wants_logits: bool) -> MediaRows:
    """Returns the rows of a slot's part of a batch, which is of one chunk. Its last one gets logits if they are wanted
    and the prompt ends with it."""
    slot, n_cells = scheduled.slot, scheduled.n_tokens
    chunk, index = next_chunk(scheduled)
    if chunk.embeddings is None:
        raise ValueError("a picture or sound of a prompt is not encoded")
    start = slot.position_of(len(slot.cached) - index)
    return MediaRows(
        sequence=slot.slot_id,
        embeddings=chunk.embeddings[index : index + n_cells],
        positions=_positions(chunk, start)[..., index : index + n_cells],
        last_logits=wants_logits and n_cells == slot.n_uncomputed,
    )


def next_chunk(scheduled: ScheduledSlot) -> tuple[MediaChunk, int]:
    """Returns the chunk that a slot computes next, and how many of its cells are computed."""
    state = scheduled.slot.state
    assert state and state.request.media
    return state.request.media.find(state.tokens[len(scheduled.slot.cached)])


def _positions(chunk: MediaChunk, start: int) -> npt.NDArray[np.int32]:
    """Returns the positions of all cells if the first one is at `start`. The last section of M-RoPE is not used."""
    if chunk.rope_positions is None:
        return np.arange(start, start + len(chunk.tokens), dtype=np.int32)
    return chunk.rope_positions + np.array([[start], [start], [start], [0]], np.int32)


def split_by_kind(scheduled: Sequence[ScheduledSlot], n_batch: int, n_ubatch: int) -> list[list[ScheduledSlot]]:
    """Returns the batches of a step: first that of the slots with tokens, then those of media. Chunks that are not
    causal have batches of their own, of an ubatch at most."""
    batches = [[each for each in scheduled if not each.is_media]]
    causal: list[ScheduledSlot] = []
    other: list[ScheduledSlot] = []
    for each in scheduled:
        if each.is_media:
            (causal if next_chunk(each)[0].is_causal else other).append(each)
    for parts, limit in ((causal, n_batch), (other, n_ubatch)):
        n_left = 0
        for each in parts:
            if each.n_tokens > n_left:
                batches.append([])
                n_left = limit
            batches[-1].append(each)
            n_left -= each.n_tokens
    return [batch for batch in batches if batch]
