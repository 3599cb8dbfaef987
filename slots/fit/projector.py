"""Projector: the memory that it takes while a picture or sound is encoded, computed from its header."""

from models.projector_shape import EncoderShape, ProjectorShape

WIDTHS_AT_ONCE = 3
"""Vectors as wide as the encoder that are held for a position besides those of its feed-forward layer."""
_INPUT_BYTES = 6
"""Of a number of the input: once in 32 bits, and once in 16 as a row of its position."""


def projector_bytes(shape: ProjectorShape) -> int:
    """Returns the bytes of its weights, and of the buffers of its larger encoder: they are allocated once, for both."""
    return shape.n_bytes + max(map(_compute_bytes, shape.encoders), default=0)


def _compute_bytes(encoder: EncoderShape) -> int:
    layer = 4 * (encoder.n_ff + WIDTHS_AT_ONCE * encoder.n_embd)
    return encoder.n_positions * max(layer, _INPUT_BYTES * encoder.n_input)
