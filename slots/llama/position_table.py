"""Position tables: the largest picture for which a projector has positions. Beyond them llama.cpp ends the process."""

import math
from dataclasses import dataclass

from models.gguf.model_file import ModelFile
from slots.options import MediaOptions

_KINDS = {"gemma4uv": 3, "gemma4v": 3}
"""Kinds that resize pictures freely and look up a row and a column for each patch, with how many patches a token has in
each direction unless the header says so."""
_MIN_TOKENS, _MAX_TOKENS = 70, 1120


@dataclass(frozen=True, slots=True)
class PositionTable:
    n_rows: int
    """Patches that a picture may have in each direction."""
    patch_size: int
    token_size: int
    """Pixels of a token in each direction."""
    min_tokens: int
    max_tokens: int

    def fits(self, width: int, height: int) -> bool:
        """Whether a picture has no more patches than there are rows, after it was resized as libmtmd does, which
        computes with fewer digits: one token is left free."""
        size = self.token_size
        wide, high = max(round(width / size), 1), max(round(height / size), 1)
        area = width * height / size**2
        if wide * high > self.max_tokens:
            scale = math.sqrt(self.max_tokens / area) / size
            wide, high = max(math.floor(width * scale), 1), max(math.floor(height * scale), 1)
        elif wide * high < self.min_tokens:
            scale = math.sqrt(self.min_tokens / area) / size
            wide, high = math.ceil(width * scale), math.ceil(height * scale)
        return (max(wide, high) + 1) * size // self.patch_size <= self.n_rows


def read_position_table(file: ModelFile, options: MediaOptions) -> PositionTable | None:
    """Returns the table of a projector's file; None if its kind has none, or takes pictures of one size."""
    kind = file.text("clip.vision.projector_type") or file.text("clip.projector_type") or ""
    patch = file.integer("clip.vision.patch_size")
    shape = next((t.shape for t in file.contents.tensors if t.name == "v.position_embd.weight"), ())
    if kind not in _KINDS or len(shape) < 2 or not patch:
        return None
    merge = file.integer("clip.vision.projector.scale_factor") or _KINDS[kind]
    return PositionTable(
        n_rows=shape[1],
        patch_size=patch * merge if kind == "gemma4uv" else patch,
        token_size=patch * merge,
        min_tokens=options.image_min_tokens if options.image_min_tokens > 0 else _MIN_TOKENS,
        max_tokens=options.image_max_tokens if options.image_max_tokens > 0 else _MAX_TOKENS,
    )
