"""Projector shape: the sizes of an mmproj file, from which the memory that it needs can be computed."""

from dataclasses import dataclass
from pathlib import Path

from models.gguf.model_file import ModelFile, read_model_file

_SOUND_POSITIONS = 1500
"""Of an encoder of sounds: whisper's, for half a minute, which is encoded at once."""
_FRAMES = 2
"""Of the spectrum, at each of them."""


@dataclass(frozen=True, slots=True)
class EncoderShape:
    """A transformer for pictures or sounds."""

    n_positions: int
    """Patches of the largest picture, or places in time."""
    n_input: int
    """Numbers of the file at each: of the pixels of a patch, or of the spectrum."""
    n_embd: int
    n_ff: int


@dataclass(frozen=True, slots=True)
class ProjectorShape:
    n_bytes: int
    """Of its weights."""
    encoders: tuple[EncoderShape, ...]
    """Those that it has, for pictures and for sounds."""


def read_projector_shape(path: Path, image_max_tokens: int = -1) -> ProjectorShape:
    """Reads the shape of a projector. `image_max_tokens` limits pictures, in embeddings, where they may have any size;
    -1 is what the header says. Raises ModelFileError."""
    file = read_model_file(path)
    n_bytes = sum(tensor.n_bytes for tensor in file.contents.tensors)
    encoders = []
    if file.contents.metadata.get("clip.has_vision_encoder") is True:
        n_input = 3 * (file.integer("clip.vision.patch_size") or 0) ** 2
        encoders.append(_encoder(file, "vision", _n_patches(file, image_max_tokens), n_input))
    if file.contents.metadata.get("clip.has_audio_encoder") is True:
        n_input = _FRAMES * (file.integer("clip.audio.num_mel_bins") or 0)
        encoders.append(_encoder(file, "audio", _SOUND_POSITIONS, n_input))
    return ProjectorShape(n_bytes, tuple(encoders))


def _encoder(file: ModelFile, kind: str, n_positions: int, n_input: int) -> EncoderShape:
    n_embd, n_ff = (file.integer(f"clip.{kind}.{key}") for key in ("embedding_length", "feed_forward_length"))
    return EncoderShape(n_positions, n_input, n_embd or 0, n_ff or 0)


def _n_patches(file: ModelFile, image_max_tokens: int) -> int:
    side = (file.integer("clip.vision.image_size") or 0) // max(file.integer("clip.vision.patch_size") or 1, 1)
    merged = file.integer("clip.vision.spatial_merge_size") or file.integer("clip.vision.projector.scale_factor") or 1
    return max(side**2, image_max_tokens * merged**2)
