"""The folder that slots are saved to: a file in it is known by its name, and nothing outside of it can be reached."""

import errno
import os
import secrets
import stat
import unicodedata
from pathlib import Path

from server.api.llama.slot_files import read_slot, write_slot
from server.http.errors import ApiError
from server.http.fields import expected
from slots.cache.saved_slot import SavedSlot
from slots.errors import InvalidRequest

MAX_NAME_BYTES = 255
NAMES = f"the name of a file, without a path or a dot in front, of at most {MAX_NAME_BYTES} bytes"


def as_file_name(name: str, value: object) -> str:
    """Returns `value` as the name of a file in a folder. Raises InvalidRequest, which names the field."""
    if not isinstance(value, str) or not _is_file_name(value):
        raise expected(name, NAMES, value)
    return value


def _is_file_name(text: str) -> bool:
    if not text or text.startswith(".") or len(text.encode()) > MAX_NAME_BYTES:
        return False
    return not any(character in "/\\" or unicodedata.category(character) == "Cc" for character in text)


class SlotFolder:
    """Its methods take names that `as_file_name` has returned. They belong to a worker thread: states are large."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, name: str, saved: SavedSlot, fingerprint: str) -> int:
        """Puts a slot into a file, which is there as a whole or not at all. Returns its size in bytes.

        Raises InvalidRequest for the name of a folder, ApiError (500) when it cannot be written.
        """
        temporary = self._path / f".{secrets.token_hex(16)}.tmp"
        try:
            with open(temporary, "xb", opener=_open_for_owner) as file:
                n_written = write_slot(file, saved, fingerprint)
            temporary.replace(self._path / name)
        except IsADirectoryError:
            raise _not_regular(name) from None
        except OSError as error:
            raise ApiError(500, f"filename: {name} cannot be written: {error.strerror}") from None
        finally:
            temporary.unlink(missing_ok=True)
        return n_written

    def read(self, name: str, fingerprint: str) -> tuple[SavedSlot, int]:
        """Returns the slot in a file, and the size of that in bytes.

        Raises ApiError (404) when there is no such file, ApiError (500) when it cannot be read, InvalidRequest when it
        is no regular file or what `read_slot` refuses.
        """
        try:
            with open(self._path / name, "rb", opener=_open_in_folder) as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode):
                    raise _not_regular(name)
                return read_slot(file, status.st_size, fingerprint), status.st_size
        except FileNotFoundError:
            raise ApiError(404, f"filename: expected a saved slot, there is no {name}") from None
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
                raise _not_regular(name) from None
            raise ApiError(500, f"filename: {name} cannot be read: {error.strerror}") from None


def _open_for_owner(path: str, flags: int) -> int:
    """What users wrote is nobody else's business."""
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def _open_in_folder(path: str, flags: int) -> int:
    """Links may lead out of the folder, and the other end of a pipe may never come."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _not_regular(name: str) -> InvalidRequest:
    return InvalidRequest("filename", f"expected a regular file, {name} is something else")
