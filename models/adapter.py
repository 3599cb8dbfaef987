"""Adapter header: what a LoRA adapter in GGUF format says about itself. Reading it checks that the file is complete and
made for a model, before llama.cpp, which trusts much of it, sees it."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from models.errors import ModelFileError
from models.gguf.model_file import ModelFile, read_model_file, read_other_parts
from models.header import OTHER_KINDS

INVOCATION_TOKENS = "adapter.alora.invocation_tokens"
MAX_INVOCATION_TOKENS = 4096
TOKEN_EMBEDDINGS = "token_embd.weight"
"""The tensor whose a and b have changed places, since a token selects one of its rows."""
NORMS = "_norm.weight"
"""End of the names of tensors that llama.cpp leaves out of adapters."""

OUTPUT = "output.weight"
TYPES = {0: "F32", 1: "F16", 8: "Q8_0", 30: "BF16"}
"""The types of tensors that converters write, by number. llama.cpp cannot compute with just any."""

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class AdapterHeader:
    path: Path
    task_name: str
    """What it is for; often empty."""
    prompt_prefix: str
    """What prompts are to begin with; often empty."""
    invocation_tokens: tuple[int, ...]
    """Of an activated LoRA: it applies from the last occurrence of these in a prompt. Empty for all others."""
    fingerprint: str
    """Hex digits of the file's contents."""


def read_adapter(path: Path, model: Path) -> AdapterHeader:
    """Reads and checks an adapter for a model, whose only or first file is `model`. It takes as long as to read the
    adapter's file: call it from a worker thread.

    Raises ModelFileError if the file is no complete LoRA adapter, or one for another model.
    """
    file, base = read_model_file(path), read_model_file(model)
    _check_kind(file)
    architecture, expected = file.text("general.architecture"), base.text("general.architecture")
    if architecture != expected:
        raise ModelFileError(f"{path} is an adapter for models of the architecture {architecture}, not for {expected}")
    _check_shapes(file, _shapes(base))
    tokens = file.numbers(INVOCATION_TOKENS, MAX_INVOCATION_TOKENS + 1)
    if len(tokens) > MAX_INVOCATION_TOKENS:
        raise ModelFileError(f"{path} has more than {MAX_INVOCATION_TOKENS} invocation tokens")
    return AdapterHeader(
        path=path,
        task_name=file.text("adapter.lora.task_name") or "",
        prompt_prefix=file.text("adapter.lora.prompt_prefix") or "",
        invocation_tokens=tuple(map(int, tokens)),
        fingerprint=_hash(path),
    )


def _check_kind(file: ModelFile) -> None:
    kind, adapter_type = file.text("general.type") or "model", file.text("adapter.type")
    if kind != "adapter":
        raise ModelFileError(f"{file.path} holds {OTHER_KINDS.get(kind, 'a model')}, not a LoRA adapter")
    if adapter_type != "lora":
        raise ModelFileError(f"{file.path} holds an adapter of the type {adapter_type}, expected lora")
    if any(tensor.type_number not in TYPES for tensor in file.contents.tensors):
        raise ModelFileError(f"{file.path} holds tensors of other types than {', '.join(TYPES.values())}")
    if not file.contents.tensors:
        raise ModelFileError(f"{file.path} holds an adapter without any tensors")


def _shapes(base: ModelFile) -> Shapes:
    """Returns the shapes of the model's tensors, those of all its files."""
    return {t.name: t.shape for part in (base, *read_other_parts(base)) for t in part.contents.tensors}


def _check_shapes(file: ModelFile, base: Shapes) -> None:
    """Raises ModelFileError unless each pair of tensors belongs to one of the model's and fits to it."""
    shapes = {tensor.name: tensor.shape for tensor in file.contents.tensors}
    for name in shapes:
        tensor, _, part = name.rpartition(".")
        if name.endswith(NORMS):
            continue
        if part not in ("lora_a", "lora_b"):
            raise ModelFileError(f"{file.path} has the tensor {name}, which no LoRA adapter has")
        if tensor not in base:
            raise ModelFileError(f"{file.path} is for another model: it changes {tensor}, which this model has not")
        if tensor == TOKEN_EMBEDDINGS and OUTPUT not in base:
            reason = f"it changes {tensor}, which this model has for its output as well"
            raise ModelFileError(f"{file.path} cannot be computed by llama.cpp: {reason}")
        other = f"{tensor}.{'lora_b' if part == 'lora_a' else 'lora_a'}"
        if other not in shapes:
            raise ModelFileError(f"{file.path} is damaged: it has {name} without {other}")
        _check_pair(file.path, tensor, shapes, base[tensor])


def _check_pair(path: Path, tensor: str, shapes: Shapes, expected: tuple[int, ...]) -> None:
    a, b = _padded(shapes[f"{tensor}.lora_a"]), _padded(shapes[f"{tensor}.lora_b"])
    n_in, n_out, *rest = _padded(expected)
    if tensor == TOKEN_EMBEDDINGS:
        product, ranks = (b[1], a[1], *a[2:]), (a[0], b[0])
    else:
        product, ranks = (a[0], b[1], *a[2:]), (a[1], b[0])
    if product != (n_in, n_out, *rest) or b[2:] != a[2:]:
        sizes = f"{_size(expected)} there, and the adapter is for {_size(product)}"
        raise ModelFileError(f"{path} is for another model: {tensor} is {sizes}")
    if ranks[0] != ranks[1] or ranks[0] == 0:
        raise ModelFileError(f"{path} is damaged: the two parts of {tensor} have the ranks {ranks[0]} and {ranks[1]}")


def _padded(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Returns a shape with all four of ggml's dimensions."""
    return (*shape, *[1] * (4 - len(shape)))


def _size(shape: tuple[int, ...]) -> str:
    lengths = list(shape)
    while len(lengths) > 1 and lengths[-1] == 1:
        lengths.pop()
    return " x ".join(map(str, lengths))


def _hash(path: Path) -> str:
    digest = blake2b(digest_size=16)
    try:
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror}") from None
    return digest.hexdigest()
