"""A slot as the bytes of a file: what it holds, where it fits, and a digest over all of that.

The magic, the version and the size of the header; the header as JSON; the tokens as 32-bit integers; the state in
llama.cpp's own format; the digest. Numbers are little-endian. Nothing of a file is used before its digest is checked,
except the sizes, and those must add up to the size of the file: llama.cpp trusts what it is given.
"""

import hashlib
import struct
from dataclasses import dataclass
from io import BufferedIOBase

import numpy as np
import numpy.typing as npt
import orjson

from slots.cache.saved_slot import SavedSlot
from slots.errors import InvalidRequest
from slots.requests.scope import Scope

MAGIC = b"LL-SLOTS"
VERSION = 1
START = struct.Struct("<8sII")
"""Magic, version, bytes of the header."""
MAX_HEADER = 16 * 1024
TOKEN = np.dtype("<i4")
DIGEST_SIZE = 32


@dataclass(frozen=True, slots=True)
class Header:
    fingerprint: str
    """Of the model, and of the types of its KV cache."""
    n_tokens: int
    n_exact: int
    salt: str
    n_public: int
    n_state_bytes: int


HEADER_TYPES = {"fingerprint": str, "n_tokens": int, "n_exact": int, "salt": str, "n_public": int, "n_state_bytes": int}


def write_slot(file: BufferedIOBase, saved: SavedSlot, fingerprint: str) -> int:
    """Writes a slot of the model with this fingerprint. Returns the number of bytes. Raises OSError."""
    header = orjson.dumps(
        Header(
            fingerprint=fingerprint,
            n_tokens=len(saved.tokens),
            n_exact=saved.n_exact,
            salt=saved.scope.salt,
            n_public=saved.scope.n_public,
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

    Raises InvalidRequest, which says what is wrong, for a file that is none of ours, truncated or damaged, or of a
    model with another fingerprint; OSError.
    """
    start, header_bytes, header = _read_header(file, n_bytes)
    tokens: npt.NDArray[np.int32] = np.empty(header.n_tokens, TOKEN)
    state = np.empty(header.n_state_bytes, np.uint8)
    file.readinto(tokens.data)
    file.readinto(state.data)
    digest = _new_digest()
    for part in (start, header_bytes, tokens.data, state.data):
        digest.update(part)
    if digest.digest() != file.read(DIGEST_SIZE):
        raise _unfit("that is damaged")
    if header.fingerprint != fingerprint:
        raise _unfit("of another model, or with other types of the KV cache")
    return SavedSlot(tuple(tokens.tolist()), header.n_exact, Scope(header.salt, header.n_public), state)


def _read_header(file: BufferedIOBase, n_bytes: int) -> tuple[bytes, bytes, Header]:
    """Returns the bytes of the start, the bytes of the header, and what these say, if they add up to `n_bytes`."""
    start = file.read(START.size)
    if not start.startswith(MAGIC[: len(start)]):
        raise _unfit("of another kind")
    if len(start) < START.size:
        raise _truncated(n_bytes)
    _, version, header_size = START.unpack(start)
    if version != VERSION:
        raise _unfit(f"of version {version} of the format, where this server writes and reads {VERSION}")
    if header_size > MAX_HEADER:
        raise _unfit("that is damaged")
    header_bytes = file.read(header_size)
    if len(header_bytes) < header_size:
        raise _truncated(n_bytes)
    header = _parse_header(header_bytes)
    n_expected = START.size + header_size + header.n_tokens * TOKEN.itemsize + header.n_state_bytes + DIGEST_SIZE
    if n_bytes < n_expected:
        raise _truncated(n_bytes)
    if n_bytes > n_expected:
        raise _unfit("that is damaged")
    return start, header_bytes, header


def _parse_header(data: bytes) -> Header:
    try:
        fields = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise _unfit("that is damaged") from None
    if not isinstance(fields, dict) or {name: type(value) for name, value in fields.items()} != HEADER_TYPES:
        raise _unfit("that is damaged")
    header = Header(**fields)
    if not (0 <= header.n_exact <= header.n_tokens and header.n_public >= 0 and header.n_state_bytes >= 0):
        raise _unfit("that is damaged")
    return header


def _new_digest() -> "hashlib.blake2b":
    return hashlib.blake2b(digest_size=DIGEST_SIZE)


def _truncated(n_bytes: int) -> InvalidRequest:
    return _unfit(f"that is truncated: only {n_bytes} bytes of it are there")


def _unfit(kind: str) -> InvalidRequest:
    return InvalidRequest("filename", f"expected a slot that was saved from this model, got a file {kind}")
