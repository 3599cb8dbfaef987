"""Hugging Face hub: downloads models, and finds them in its local cache. Needs the extra `hub`."""

import logging
import re
from collections.abc import Iterable, Sequence
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

from models.errors import HubError
from models.gguf.model_file import PART_NAME

logger = logging.getLogger("models")

PREFERRED_QUANTIZATIONS = ("Q4_K_M", "Q8_0")
COMPANION_PATTERNS = ("mmproj", "imatrix", "mtp-", "eagle3-", "dflash-", "dspark-")
"""Substrings of the names of GGUF files that accompany a model."""
PROJECTOR_PATTERN = "mmproj"
QUANTIZATION = re.compile(r"[-.]([A-Z0-9_]+)$", re.IGNORECASE)
TOKEN_HINT = "a token with access to it (--hf-token or HF_TOKEN)"


class HubUnreachable(HubError):
    """The hub does not respond. If the model is in the local cache, that one is used."""


def fetch(repository: str, file: str | None, token: str | None, offline: bool) -> Path:
    """Downloads the files of a model that are not in the local cache; returns the path of the first file.

    `repository` is USER/REPO or USER/REPO:QUANT; `file` is a file in it, instead of the one that QUANT selects. A
    download shows a progress bar on a terminal, and resumes an interrupted one. If `offline`, or if the hub does not
    respond, only the cache is used. Raises HubError.
    """
    name, _, quantization = repository.partition(":")
    api = HfApi(token=token)
    names, from_cache = _list_files(api, name, offline)
    try:
        files = choose_files(names, quantization, file)
    except HubError as error:
        source = "in the local cache" if from_cache else "on the hub"
        raise HubError(f"{name} has {error} ({source})") from None
    paths = [_path(api, name, each, from_cache) for each in files]
    return paths[0]


def fetch_projector(repository: str, model: Path, token: str | None, offline: bool) -> Path | None:
    """Downloads the projector (mmproj file) beside the model that `fetch` returned, unless it is in the local cache;
    returns its path, None if the repository has none. Raises HubError."""
    name = repository.partition(":")[0]
    api = HfApi(token=token)
    names, from_cache = _list_files(api, name, offline)
    chosen = choose_projector(names, _name_in_repository(model, names))
    return _path(api, name, chosen, from_cache) if chosen else None


def choose_projector(names: Sequence[str], model: str) -> str | None:
    """Returns the mmproj file in the folder of the model, or the nearest one above it: of several the one whose
    quantization has most nearly as many bits as the model's, as llama.cpp chooses. None if there is none."""
    folders = model.split("/")[:-1]
    found = []
    for name in _gguf(names):
        own = name.split("/")[:-1]
        if PROJECTOR_PATTERN in name and folders[: len(own)] == own:
            found.append((-len(own), abs(_n_bits(name) - _n_bits(model)), name))
    return min(found)[2] if found else None


def choose_files(names: Sequence[str], quantization: str, file: str | None) -> list[str]:
    """Chooses a model from the files of a repository; returns the names of all its parts.

    That is `file` if given, else the first model with this quantization; if that is empty, the first with one of
    PREFERRED_QUANTIZATIONS, else the first. Raises HubError, which lists what there is, if there is no such file.
    """
    if file is not None:
        if file not in names:
            raise HubError(f"no file {file}, only {_join_names(_gguf(names))}")
        return _all_parts(file, names)
    models = [name for name in _gguf(names) if _is_first_file(name)]
    if not models:
        raise HubError(f"no GGUF model, only {_join_names(names)}")
    for candidate in (quantization,) if quantization else PREFERRED_QUANTIZATIONS:
        for name in models:
            if _has_quantization(name, candidate):
                return _all_parts(name, names)
    if quantization:
        raise HubError(f"no model packed as {quantization}, only {_join_names(_quantizations(models))}")
    return _all_parts(models[0], names)


def _list_files(api: HfApi, name: str, offline: bool) -> tuple[list[str], bool]:
    """Returns the files of a repository, and whether they are those of the local cache. Raises HubError."""
    # Its own handler would write each line a second time.
    logging.getLogger("huggingface_hub").handlers.clear()
    from_cache = offline or is_offline_mode()
    try:
        names = _cached_files(name) if from_cache else _files(api, name)
    except HubUnreachable as error:
        from_cache, names = True, _cached_files(name)
        if not names:
            raise
        logger.warning("%s, so the model comes from the cache", error)
    if not names:
        raise HubError(f"{name} is not in the local cache, and --offline allows no download")
    return names, from_cache


def _name_in_repository(path: Path, names: Sequence[str]) -> str:
    """Returns the name of a file in the local cache, as the repository has it."""
    text = path.as_posix()
    return max((name for name in names if text.endswith(f"/{name}")), key=len, default=path.name)


def _n_bits(name: str) -> int:
    """Returns the first number in the quantization of a file, 0 if it names none."""
    suffix = QUANTIZATION.search(name[:-5])
    digits = re.search(r"\d+", suffix[1]) if suffix else None
    return int(digits[0]) if digits else 0


def _files(api: HfApi, repository: str) -> list[str]:
    try:
        # Not list_repo_files, which retries for half a minute before it reports that there is no network.
        return [file.rfilename for file in api.model_info(repository).siblings or []]
    except (httpx2.HTTPError, OSError, HFValidationError) as error:
        raise _to_hub_error(error, repository) from error


def _cached_files(repository: str) -> list[str]:
    try:
        folder = Path(snapshot_download(repository, local_files_only=True))
    except IncompleteSnapshotError as error:
        folder = Path(error.snapshot_path)
    except LocalEntryNotFoundError:
        return []
    except HFValidationError as error:
        raise _to_hub_error(error, repository) from error
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _path(api: HfApi, repository: str, file: str, from_cache: bool) -> Path:
    if not from_cache:
        logger.info("Taking %s from %s on the hub, unless it is in the local cache", file, repository)
    try:
        return Path(api.hf_hub_download(repository, file, local_files_only=from_cache))
    except (httpx2.HTTPError, OSError) as error:
        raise _to_hub_error(error, f"{repository}/{file}") from error


def _to_hub_error(error: Exception, what: str) -> HubError:
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
            return HubUnreachable(f"the hub cannot be reached, and {what} is not in the local cache")
        case httpx2.HTTPError():
            return HubUnreachable(f"the hub cannot be reached for {what} ({type(error).__name__})")
        case _:
            return HubError(f"{what} cannot be stored: {error}")


def _gguf(names: Iterable[str]) -> list[str]:
    return [name for name in names if name.lower().endswith(".gguf")]


def _is_first_file(name: str) -> bool:
    file_name = name.rsplit("/", 1)[-1]
    part = PART_NAME.fullmatch(file_name)
    return not any(mark in file_name for mark in COMPANION_PATTERNS) and (part is None or int(part["number"]) == 1)


def _has_quantization(name: str, quantization: str) -> bool:
    pattern = rf"(?<![A-Za-z0-9]){re.escape(quantization)}[-./]"
    return re.search(pattern, name, re.IGNORECASE) is not None


def _all_parts(name: str, names: Sequence[str]) -> list[str]:
    part = PART_NAME.fullmatch(name)
    if part is None:
        return [name]
    count = int(part["count"])
    parts = [f"{part['name']}-{number:05d}-of-{part['count']}{name[-5:]}" for number in range(1, count + 1)]
    missing = [each for each in parts if each not in names]
    if missing:
        raise HubError(f"no file {missing[0]}, which is one of the {count} parts of the model")
    return parts


def _quantizations(names: Iterable[str]) -> list[str]:
    stems = ((part["name"] if (part := PART_NAME.fullmatch(name)) else name[:-5]) for name in names)
    return sorted({suffix[1].upper() if (suffix := QUANTIZATION.search(stem)) else stem for stem in stems})


def _join_names(names: Sequence[str]) -> str:
    first_names = ", ".join(names[:20]) or "nothing"
    return first_names if len(names) <= 20 else f"{first_names} and {len(names) - 20} more"
