"""File signatures: what a file that is not GGUF looks like, for the error message."""

SIGNATURES = (
    (b"version https://git-lfs", "a Git LFS pointer; `git lfs pull` fetches the file it stands for"),
    (b"<!doctype html", "an HTML page, so the download went wrong"),
    (b"<html", "an HTML page, so the download went wrong"),
    (b"{", "a JSON file"),
    (b"pk\x03\x04", "a zip archive, which a PyTorch checkpoint is too"),
    (b"tjgg", "a file of old ggml; models are GGUF files since August 2023"),
)
"""First bytes in lower case, after white space."""


def describe_signature(start: bytes) -> str:
    """Describes in words what a file with these first bytes (16 or more, if it has as many) seems to be."""
    first_bytes = start.lstrip().lower()
    for signature, description in SIGNATURES:
        if first_bytes.startswith(signature):
            return description
    if _is_safetensors(start):
        return "a safetensors file; llama.cpp's convert_hf_to_gguf.py turns a model of those into GGUF"
    if not start.strip(b"\0"):
        return "only zeros, so the download or the disk went wrong"
    return f"something else, which starts with the bytes {start[:4].hex(' ')}"


def _is_safetensors(start: bytes) -> bool:
    """A safetensors file starts with the length of its JSON header, 8 bytes, then the header."""
    if len(start) < 9 or start[8:9] != b"{":
        return False
    return 0 < int.from_bytes(start[:8], "little") < 2**32
