"""Slot files: saved slots on disk.

A file holds the magic, the version and the size of the header; the header as JSON; the tokens as 64-bit integers; the
state in llama.cpp's own format; a digest of all that. Numbers are little-endian. Nothing of a file is used before its
digest is checked, except the sizes, and those must add up to the size of the file: llama.cpp trusts what it is given.
"""

import errno
import hashlib
import os
import secrets
import stat
import struct
import unicodedata
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path

import numpy as np
import numpy.typing as npt
import orjson

from server.http.errors import ApiError
from server.http.fields import invalid_value
from slots.cache.saved_slot import SavedSlot
from slots.errors import InvalidRequest
from slots.requests.scope import CacheScope

MAGIC = b"LL-SLOTS"
VERSION = 3
START = struct.Struct("<8sII")
"""Magic, version, bytes of the header."""
MAX_HEADER = 16 * 1024
TOKEN = np.dtype("<i8")
"""Media have pseudo-tokens of 64 bits."""
DIGEST_SIZE = 32


@dataclass(frozen=True, slots=True)
class Header:
    fingerprint: str
    """Of the model and the types of its KV cache."""
    n_tokens: int
    n_exact: int
    salt: str
    n_public: int
    adapters: str
    """Identifies the LoRA adapters that the tokens after the first `n_base` were computed with; empty for none."""
    n_base: int
    n_state_bytes: int


HEADER_TYPES = {
    "fingerprint": str,
    "n_tokens": int,
    "n_exact": int,
    "salt": str,
    "n_public": int,
    "adapters": str,
    "n_base": int,
    "n_state_bytes": int,
}


def write_slot(file: BufferedIOBase, saved: SavedSlot, fingerprint: str) -> int:
    """Writes a slot of the model with this fingerprint. Returns the number of bytes. Raises OSError."""
    header = orjson.dumps(
        Header(
            fingerprint=fingerprint,
            n_tokens=len(saved.tokens),
            n_exact=saved.n_unshifted,
            salt=saved.scope.salt,
            n_public=saved.scope.n_public,
            adapters=saved.scope.adapters,
            n_base=saved.scope.n_base,
            n_state_bytes=saved.snapshot.nbytes,
        )
    )
    digest = _new_digest()
    start = START.pack(MAGIC, VERSION, len(header))
    for part in (start, header, np.array(saved.tokens, TOKEN).data, saved.snapshot.data):
        digest.update(part)
        file.write(part)
    file.write(digest.digest())
    return file.tell()


def read_slot(file: BufferedIOBase, n_bytes: int, fingerprint: str) -> SavedSlot:
    """Returns the slot in a file of `n_bytes` bytes.

    Raises InvalidRequest, which says what is wrong, for another kind of file, a truncated or damaged one, or one of a
    model with another fingerprint; OSError.
    """
    start, header_bytes, header = _read_header(file, n_bytes)
    tokens: npt.NDArray[np.int64] = np.empty(header.n_tokens, TOKEN)
    state = np.empty(header.n_state_bytes, np.uint8)
    file.readinto(tokens.data)
    file.readinto(state.data)
    digest = _new_digest()
    for part in (start, header_bytes, tokens.data, state.data):
        digest.update(part)
    if digest.digest() != file.read(DIGEST_SIZE):
        raise _unusable("that is damaged")
    if header.fingerprint != fingerprint:
        raise _unusable("of another model, or with other types of the KV cache")
    scope = CacheScope(header.salt, header.n_public, header.adapters, header.n_base)
    return SavedSlot(tuple(tokens.tolist()), header.n_exact, scope, state)


def _read_header(file: BufferedIOBase, n_bytes: int) -> tuple[bytes, bytes, Header]:
    """Returns the bytes of the start and of the header, and the header, if the sizes add up to `n_bytes`."""
    start = file.read(START.size)
    if not start.startswith(MAGIC[: len(start)]):
        raise _unusable("of another kind")
    if len(start) < START.size:
        raise _truncated(n_bytes)
    _, version, header_size = START.unpack(start)
    if version != VERSION:
        raise _unusable(f"of version {version} of the format, where this server writes and reads {VERSION}")
    if header_size > MAX_HEADER:
        raise _unusable("that is damaged")
    header_bytes = file.read(header_size)
    if len(header_bytes) < header_size:
        raise _truncated(n_bytes)
    header = _parse_header(header_bytes)
    n_expected = START.size + header_size + header.n_tokens * TOKEN.itemsize + header.n_state_bytes + DIGEST_SIZE
    if n_bytes < n_expected:
        raise _truncated(n_bytes)
    if n_bytes > n_expected:
        raise _unusable("that is damaged")
    return start, header_bytes, header


def _parse_header(data: bytes) -> Header:
    try:
        fields = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise _unusable("that is damaged") from None
    if not isinstance(fields, dict) or {name: type(value) for name, value in fields.items()} != HEADER_TYPES:
        raise _unusable("that is damaged")
    header = Header(**fields)
    counts = (header.n_public, header.n_base, header.n_state_bytes)
    if not (0 <= header.n_exact <= header.n_tokens and min(counts) >= 0):
        raise _unusable("that is damaged")
    return header


def _new_digest() -> "hashlib.blake2b":
    return hashlib.blake2b(digest_size=DIGEST_SIZE)


def _truncated(n_bytes: int) -> InvalidRequest:
    return _unusable(f"that is truncated: only {n_bytes} bytes of it are there")


def _unusable(kind: str) -> InvalidRequest:
    return InvalidRequest("filename", f"expected a slot that was saved from this model, got a file {kind}")


MAX_NAME_BYTES = 255
FILE_NAMES = f"the name of a file, without a path or a dot in front, of at most {MAX_NAME_BYTES} bytes"


def as_file_name(name: str, value: object) -> str:
    """Returns `value` as the name of a file in a folder. Raises InvalidRequest, which names the field."""
    if not isinstance(value, str) or not _is_file_name(value):
        raise invalid_value(name, FILE_NAMES, value)
    return value


def _is_file_name(text: str) -> bool:
    if not text or text.startswith(".") or len(text.encode()) > MAX_NAME_BYTES:
        return False
    return not any(character in "/\\" or unicodedata.category(character) == "Cc" for character in text)


class SlotFolder:
    """The folder of saved slots. Call the methods in a worker thread, since states are large, with names that
    `as_file_name` has returned."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, name: str, saved: SavedSlot, fingerprint: str) -> int:
        """Writes a file completely or not at all. Returns its size in bytes.

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
        """Returns the slot in a file, and the size of the file in bytes.

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
    """Opens a file that only its owner may read."""
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def _open_in_folder(path: str, flags: int) -> int:
    """Opens a file without following a link out of the folder, or waiting for the other end of a pipe."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _not_regular(name: str) -> InvalidRequest:
    return InvalidRequest("filename", f"expected a regular file, {name} is something else")
