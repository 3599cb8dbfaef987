from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.api.llama.slot_files import DIGEST_SIZE, START, VERSION, read_slot, write_slot
from slots.cache.saved_slot import SavedSlot
from slots.errors import InvalidRequest
from slots.requests.scope import CacheScope

FINGERPRINT = "0123456789abcdef"


def saved(n_tokens: int = 5, n_state_bytes: int = 40) -> SavedSlot:
    state = np.arange(n_state_bytes, dtype=np.uint8)
    return SavedSlot(tuple(range(n_tokens)), max(n_tokens - 1, 0), CacheScope("salt", 2, "adapters", 3), state)


def written(slot: SavedSlot) -> bytes:
    file = BytesIO()
    assert write_slot(file, slot, FINGERPRINT) == len(file.getvalue())
    return file.getvalue()


def read(data: bytes, fingerprint: str = FINGERPRINT) -> SavedSlot:
    return read_slot(BytesIO(data), len(data), fingerprint)


def refusal(data: bytes, fingerprint: str = FINGERPRINT) -> str:
    with pytest.raises(InvalidRequest) as caught:
        read(data, fingerprint)
    beginning = "filename: expected a slot that was saved from this model, got a file "
    assert str(caught.value).startswith(beginning)
    return str(caught.value).removeprefix(beginning)


DATA = written(saved())


@given(st.integers(0, 200), st.integers(0, 5000), st.text(max_size=20))
def test_what_is_written_is_read(n_tokens: int, n_state_bytes: int, salt: str) -> None:
    slot = SavedSlot(tuple(range(n_tokens)), n_tokens, CacheScope(salt, n_tokens), np.zeros(n_state_bytes, np.uint8))
    again = read(written(slot))
    assert (again.tokens, again.n_unshifted, again.scope) == (slot.tokens, slot.n_unshifted, slot.scope)
    assert again.snapshot.tobytes() == slot.snapshot.tobytes()


@given(st.integers(0, len(DATA) - 1))
def test_a_truncated_file_is_refused(n_bytes: int) -> None:
    assert refusal(DATA[:n_bytes]) == f"that is truncated: only {n_bytes} bytes of it are there"


@given(st.integers(0, len(DATA) - 1), st.integers(1, 255))
def test_a_file_with_any_other_byte_is_refused(place: int, change: int) -> None:
    refusal(DATA[:place] + bytes([DATA[place] ^ change]) + DATA[place + 1 :])


@pytest.mark.parametrize("place", [-1, -DIGEST_SIZE - 1, -DIGEST_SIZE - 41])
def test_a_damaged_file_is_called_so(place: int) -> None:
    damaged = bytearray(DATA)
    damaged[place] ^= 1
    assert refusal(bytes(damaged)) == "that is damaged"


@pytest.mark.parametrize("more", [b"x", DATA])
def test_a_file_with_more_behind_its_end_is_damaged(more: bytes) -> None:
    assert refusal(DATA + more) == "that is damaged"


@pytest.mark.parametrize("data", [b"GGUF", b"<html>", b"\0" * 1000, DATA[1:]])
def test_a_file_of_another_kind_is_called_so(data: bytes) -> None:
    assert refusal(data) == "of another kind"


def test_a_file_of_another_version_is_called_so() -> None:
    other = START.pack(DATA[:8], VERSION + 1, 10)
    assert refusal(other + DATA[START.size :]).startswith(f"of version {VERSION + 1} of the format, ")


def test_a_slot_of_another_model_is_refused() -> None:
    assert refusal(DATA, "another").startswith("of another model")


HEADERS = [
    b"{",
    b"[]",
    b"{}",
    b'{"fingerprint":"a","n_tokens":1,"n_exact":1,"salt":"","n_public":0,"adapters":"","n_base":0,"n_state_bytes":-4}',
    b'{"fingerprint":"a","n_tokens":1,"n_exact":2,"salt":"","n_public":0,"adapters":"","n_base":0,"n_state_bytes":0}',
    b'{"fingerprint":"a","n_tokens":true,"n_exact":0,"salt":"","n_public":0,"adapters":"","n_base":0,"n_state_bytes":0}',
    b'{"fingerprint":"a","n_tokens":1.0,"n_exact":0,"salt":"","n_public":0,"adapters":"","n_base":0,"n_state_bytes":0}',
    b'{"fingerprint":"a","n_tokens":-1,"n_exact":-1,"salt":"","n_public":0,"adapters":"","n_base":0,"n_state_bytes":4}',
    b'{"fingerprint":"a","n_tokens":1,"n_exact":1,"salt":5,"n_public":0,"adapters":"","n_base":0,"n_state_bytes":0}',
    b'{"fingerprint":"a","n_tokens":1,"n_exact":1,"salt":"","n_public":0,"adapters":"","n_base":-1,"n_state_bytes":0}',
]


@pytest.mark.parametrize("header", HEADERS)
def test_a_header_that_makes_no_sense_is_damaged(header: bytes) -> None:
    assert refusal(START.pack(DATA[:8], VERSION, len(header)) + header + bytes(DIGEST_SIZE)) == "that is damaged"


def test_sizes_that_the_file_does_not_have_are_not_believed() -> None:
    header = HEADERS[3].replace(b"-4", b"4611686018427387904")
    assert refusal(START.pack(DATA[:8], VERSION, len(header)) + header).startswith("that is truncated")


def test_a_header_of_any_size_is_not_read() -> None:
    assert refusal(START.pack(DATA[:8], VERSION, 2**32 - 1) + bytes(100)) == "that is damaged"
