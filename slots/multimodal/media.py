"""Media: a picture or sound, prepared for the prompts of one projector."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from slots.llama.mtmd import PreparedChunk, PreparedPart, PreparedText
from slots.multimodal.limits import Kind
from slots.requests.media import MediaChunk, pseudo_tokens


@dataclass(slots=True, eq=False, weakref_slot=True)
class Media:
    """What stands in a prompt for a picture or sound. The same file is the same object, as long as somebody has it."""

    kind: Kind
    tokens: tuple[int, ...]
    """Pseudo-tokens, and the tokens that the model expects beside them."""
    chunks: tuple[MediaChunk, ...]
    pending: Sequence[PreparedChunk] = field(repr=False)
    """What is still to be encoded, one for each of `chunks`; empty afterwards."""

    @property
    def is_encoded(self) -> bool:
        return not self.pending

    @property
    def n_bytes(self) -> int:
        """Of its embeddings, once it is encoded."""
        return sum(chunk.embeddings.nbytes for chunk in self.chunks if chunk.embeddings is not None)


def make_media(kind: Kind, digest: bytes, parts: Sequence[PreparedPart]) -> Media:
    """Returns media with these parts; `digest` identifies the file and the projector."""
    tokens: list[int] = []
    chunks: list[MediaChunk] = []
    for part in parts:
        if isinstance(part, PreparedText):
            tokens += part.tokens
            continue
        is_whole = not part.is_causal or part.rope_positions is not None
        content = digest + len(chunks).to_bytes(4)
        cells = pseudo_tokens(content, part.n_cells, part.n_positions, is_whole=is_whole)
        chunks.append(MediaChunk(cells, part.n_positions, part.is_causal, part.rope_positions))
        tokens += cells
    return Media(kind, tuple(tokens), tuple(chunks), [part for part in parts if isinstance(part, PreparedChunk)])
