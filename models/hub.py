"""Models from the Hugging Face hub. Needs the extra `hub`."""

import logging
from pathlib import Path

import httpx2
from huggingface_hub import HfApi, is_offline_mode, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    IncompleteSnapshotError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)

from models.choice import choose_files
from models.errors import HubError

TOKEN_HINT = "a token with access to it (--hf-token or HF_TOKEN)"

logger = logging.getLogger("models")


class Unreachable(HubError):
    """The hub does not answer."""


def fetch(repository: str, file: str | None, token: str | None, offline: bool) -> Path:
    """Returns the path of the first file of a model, when all of its files are in the local cache.

    `repository` is USER/REPO or USER/REPO:QUANT; `file` is a file in it, instead of what QUANT chooses. A download
    shows a progress bar on a terminal, and goes on where an earlier one was cut off. Without an answer from the hub,
    and if `offline`, only the cache is looked into. Raises HubError.
    """
    name, _, quantization = repository.partition(":")
    api = HfApi(token=token)
    # Its own handler would write each of its lines a second time.
    logging.getLogger("huggingface_hub").handlers.clear()
    from_cache = offline or is_offline_mode()
    try:
        names = _cached_files(name) if from_cache else _files(api, name)
    except Unreachable as error:
        from_cache, names = True, _cached_files(name)
        if not names:
            raise
        logger.warning("%s, so the model comes from the cache", error)
    if not names:
        raise HubError(f"{name} is not in the local cache, and --offline allows no download")
    try:
        wanted = choose_files(names, quantization, file)
    except HubError as error:
        place = "in the local cache" if from_cache else "on the hub"
        raise HubError(f"{name} has {error} ({place})") from None
    paths = [_path(api, name, each, from_cache) for each in wanted]
    return paths[0]


def _files(api: HfApi, repository: str) -> list[str]:
    try:
        # Not list_repo_files, which tries again for half a minute before it says that there is no network.
        return [file.rfilename for file in api.model_info(repository).siblings or []]
    except (httpx2.HTTPError, OSError, HFValidationError) as error:
        raise _explained(error, repository) from error


def _cached_files(repository: str) -> list[str]:
    try:
        folder = Path(snapshot_download(repository, local_files_only=True))
    except IncompleteSnapshotError as error:
        folder = Path(error.snapshot_path)
    except LocalEntryNotFoundError:
        return []
    except HFValidationError as error:
        raise _explained(error, repository) from error
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _path(api: HfApi, repository: str, file: str, from_cache: bool) -> Path:
    if not from_cache:
        logger.info("Taking %s from %s on the hub, unless it is in the local cache", file, repository)
    try:
        return Path(api.hf_hub_download(repository, file, local_files_only=from_cache))
    except (httpx2.HTTPError, OSError) as error:
        raise _explained(error, f"{repository}/{file}") from error


def _explained(error: Exception, what: str) -> HubError:
    match error:
        case GatedRepoError():
            return HubError(f"{what} is gated on the hub: it needs its conditions accepted there, and {TOKEN_HINT}")
        case RepositoryNotFoundError():
            return HubError(f"{what} is not on the hub, or it is private and needs {TOKEN_HINT}")
        case HFValidationError():
            return HubError(f"{what} cannot be a repository's name, expected USER/REPO")
        case HfHubHTTPError() if error.response.status_code == 401:
            return HubError(f"the hub refuses the token for {what}, expected {TOKEN_HINT}")
        case HfHubHTTPError():
            return HubError(f"the hub answers {error.response.status_code} for {what}")
        case LocalEntryNotFoundError():
            return Unreachable(f"the hub cannot be reached, and {what} is not in the local cache")
        case httpx2.HTTPError():
            return Unreachable(f"the hub cannot be reached for {what} ({type(error).__name__})")
        case _:
            return HubError(f"{what} cannot be stored: {error}")
