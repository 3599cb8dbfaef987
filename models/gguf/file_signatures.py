"""What a file that is not GGUF looks like, so that the error can say so."""

SIGNATURES = (
    (b"version https://git-lfs", "a Git LFS pointer; `git lfs pull` fetches the file it stands for"),
    (b"lmgg", "a file of old ggml; models are GGUF files since August 2023"),
    (b"fmgg", "a file of old ggml; models are GGUF files since August 2023"),
    (b"tjgg", "a file of old ggml; models are GGUF files since August 2023"),
    (b"algg", "a LoRA adapter of old ggml"),
    (b"PK\x03\x04", "a zip archive, which a PyTorch checkpoint is too"),
    (b"\x80\x02", "a pickled PyTorch checkpoint"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"\x7fELF", "a program"),
    (b"<!doctype html", "an HTML page, so the download went wrong"),
    (b"<html", "an HTML page, so the download went wrong"),
    (b"<?xml", "an XML file, so the download went wrong"),
    (b"{", "a JSON file"),
)


def describe_signature(start: bytes) -> str:
    """Returns what a file with these first bytes (16 or more, if it has as many) seems to be, in words."""
    lowered = start.lstrip().lower()
    for signature, words in SIGNATURES:
        if start.startswith(signature) or lowered.startswith(signature):
            return words
    if _is_safetensors(start):
        return "a safetensors file; llama.cpp's convert_hf_to_gguf.py turns a model of those into GGUF"
    if not start.strip(b"\0"):
        return "only zeros, so the download or the disk went wrong"
    return f"something else, which starts with the bytes {start[:4].hex(' ')}"


def _is_safetensors(start: bytes) -> bool:
    """A safetensors file starts with the length of its JSON header, then the header."""
    if len(start) < 9 or start[8:9] != b"{":
        return False
    return 0 < int.from_bytes(start[:8], "little") < 2**32
