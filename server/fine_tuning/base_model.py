"""BaseModel: the model that adapters are made for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Self

from models.gguf.model_file import part_paths

_SAMPLE_BYTES = 1 << 20
MAX_SEQUENCE = 4096
"""Tokens of a sequence if the header does not say what the model can."""


@dataclass(frozen=True, slots=True)
class BaseModel:
    name: str
    path: Path
    architecture: str
    chat_template: str | None
    n_ctx: int
    """Tokens that the model was trained for."""
    digest: str
    """Identifies its files: an adapter of another model with the same shapes would be loaded, and write nonsense."""
    template_kwargs: Mapping[str, object] = field(default_factory=dict)
    """Variables of the chat template."""

    @classmethod
    def read(
        cls,
        name: str,
        path: Path,
        architecture: str,
        chat_template: str | None,
        n_ctx: int | None,
        *,
        template_kwargs: Mapping[str, object] | None = None,
    ) -> Self:
        """`path` is the only file of the model, or its first."""
        n_ctx = n_ctx or MAX_SEQUENCE
        return cls(name, path.resolve(), architecture, chat_template, n_ctx, _digest(path), template_kwargs or {})


def _digest(path: Path) -> str:
    """Reads of each file the first and the last MiB (header, weights): all of them would take minutes."""
    digest = blake2b(digest_size=16)
    for part in part_paths(path):
        size = part.stat().st_size
        digest.update(str(size).encode())
        with part.open("rb") as file:
            digest.update(file.read(_SAMPLE_BYTES))
            file.seek(max(size - _SAMPLE_BYTES, 0))
            digest.update(file.read(_SAMPLE_BYTES))
    return digest.hexdigest()
