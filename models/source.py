"""Model source: the bundled model, a file, or a repository on the Hugging Face hub."""

from dataclasses import dataclass
from pathlib import Path

from models.errors import HubError, ModelFileError

BUNDLED_MODEL = Path(__file__).with_name("bundled.gguf")
BUNDLED_PROJECTOR = Path(__file__).with_name("bundled-mmproj.gguf")


@dataclass(frozen=True, slots=True)
class ModelSource:
    """The requested model; the bundled one by default."""

    model_file: Path | None = None
    repository: str | None = None
    """USER/REPO or USER/REPO:QUANT on the hub."""
    hub_file: str | None = None
    """A file in the repository, instead of the one that QUANT selects."""
    token: str | None = None
    offline: bool = False
    """Use only files that were downloaded before."""


def resolve(source: ModelSource) -> Path:
    """Returns the path of the model's first file, after downloading files that are missing.

    Raises ModelFileError if the bundled model is not installed, and HubError.
    """
    if source.repository is not None:
        return _fetch(source, source.repository)
    if source.model_file is not None:
        return source.model_file
    if not BUNDLED_MODEL.is_file():
        raise ModelFileError(
            f"the bundled model is not installed ({BUNDLED_MODEL}): give one with --model or --hf-repo"
        )
    return BUNDLED_MODEL


def resolve_projector(source: ModelSource, model: Path) -> Path | None:
    """Returns the projector (mmproj file) that comes with a model: the one beside it on the hub, or the bundled one.
    None if there is none. Raises HubError."""
    if source.repository is not None:
        from models.hub import fetch_projector  # noqa: PLC0415 - it needs an extra, which is slow to import

        return fetch_projector(source.repository, model, source.token, source.offline)
    return BUNDLED_PROJECTOR if model == BUNDLED_MODEL and BUNDLED_PROJECTOR.is_file() else None


def _fetch(source: ModelSource, repository: str) -> Path:
    try:
        from models.hub import fetch  # noqa: PLC0415 - it needs an extra, which is slow to import
    except ModuleNotFoundError:
        raise HubError(
            "--hf-repo needs the package huggingface_hub: `pip install '.[hub]'` in the project's folder installs it"
        ) from None
    return fetch(repository, source.hub_file, source.token, source.offline)
