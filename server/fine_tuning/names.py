"""Names: ids of files and jobs, and the names of adapters."""

import re
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import PurePath

from slots.errors import InvalidRequest

MAX_SUFFIX = 28
MAX_NAME = 62
SUFFIX = re.compile(rf"[A-Za-z0-9-]{{1,{MAX_SUFFIX}}}")
_FOREIGN = re.compile(r"[^-A-Za-z0-9_.]")


def new_id(kind: str) -> str:
    """Returns an id such as file-3d2c..., which nobody can guess."""
    return f"{kind}-{secrets.token_hex(12)}"


def check_suffix(suffix: str | None) -> None:
    """Raises InvalidRequest."""
    if suffix is not None and not SUFFIX.fullmatch(suffix):
        words = f"expected 1 to {MAX_SUFFIX} letters, digits and hyphens, got {suffix[:60]!r}"
        raise InvalidRequest("suffix", words)


def adapter_name(model: str, suffix: str | None, created: datetime, is_taken: Callable[[str], bool]) -> str:
    """Returns `model.suffix.YYMMDD-HHMMSS` in UTC, a later time if that is taken. A model that is called by the path of
    its file gives the file's name; what a name may not hold is a hyphen."""
    path = PurePath(model)
    base = _FOREIGN.sub("-", path.stem if path.suffix.lower() == ".gguf" else path.name).lstrip(".-") or "model"
    while True:
        end = "".join(f".{part}" for part in (suffix, created.astimezone(UTC).strftime("%y%m%d-%H%M%S")) if part)
        name = base[: MAX_NAME - len(end)] + end
        if not is_taken(name):
            return name
        created += timedelta(seconds=1)
