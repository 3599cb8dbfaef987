"""Model header: what a GGUF model says about itself. Reading it checks that the files of the model are complete."""

import reprlib
from dataclasses import dataclass
from pathlib import Path

from models.errors import ModelFileError
from models.gguf.model_file import ModelFile, read_model_file, read_other_parts
from models.gguf.types import FILE_TYPES

TOKENS = "tokenizer.ggml.tokens"

SPECIAL_TOKENS = {
    "bos": "bos_token_id",
    "eos": "eos_token_id",
    "eot": "eot_token_id",
    "eom": "eom_token_id",
    "unknown": "unknown_token_id",
    "separator": "seperator_token_id",
    "padding": "padding_token_id",
    "mask": "mask_token_id",
    "FIM prefix": "fim_pre_token_id",
    "FIM suffix": "fim_suf_token_id",
    "FIM middle": "fim_mid_token_id",
    "FIM padding": "fim_pad_token_id",
    "FIM repository": "fim_rep_token_id",
    "FIM separator": "fim_sep_token_id",
}
"""The keys of special tokens under `tokenizer.ggml`. GGUF spells one of them "seperator"."""

OTHER_KINDS = {
    "adapter": "a LoRA adapter",
    "mmproj": "a projector of images or sound into a model",
    "imatrix": "an importance matrix",
    "control_vector": "a control vector",
}
"""Descriptions of the values of `general.type` for files that are not models."""


@dataclass(frozen=True, slots=True)
class SpecialToken:
    name: str
    token: int
    text: str | None
    """None if the vocabulary has no such token."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a model says about itself; None for what it does not say."""

    path: Path
    architecture: str
    name: str | None
    size_label: str | None
    file_type: str | None
    """The quantization of most tensors, such as "Q4_K_M"."""
    n_parameters: int
    n_bytes: int
    """Total size of its files."""
    n_parts: int
    """Number of files; 1 if the model is not split."""
    n_ctx_train: int | None
    n_embd: int | None
    n_layer: int | None
    n_head: int | None
    n_vocab: int | None
    tokenizer: str | None
    chat_template: str | None
    special_tokens: tuple[SpecialToken, ...]
    tool_use_template: str | None = None
    """The chat template for chats with tools, if they have one of their own."""
    rerank_template: str | None = None
    """The template that makes one text of a query and a document, for a reranking model."""
    has_classifier: bool = False
    """Whether it has a head that scores a text."""


def read_header(path: Path) -> Header:
    """Reads the header of a model. `path` is its only file, or the first file of a split model.

    Raises ModelFileError if it is not a complete GGUF model.
    """
    first = read_model_file(path)
    parts = [first, *read_other_parts(first)]
    architecture = _read_architecture(first, parts)
    file_type = first.integer("general.file_type")
    return Header(
        path=path,
        architecture=architecture,
        name=first.text("general.name"),
        size_label=first.text("general.size_label"),
        file_type=None if file_type is None else FILE_TYPES.get(file_type, f"type {file_type}"),
        n_parameters=sum(part.contents.n_parameters for part in parts),
        n_bytes=sum(part.n_bytes for part in parts),
        n_parts=len(parts),
        n_ctx_train=first.integer(f"{architecture}.context_length"),
        n_embd=first.integer(f"{architecture}.embedding_length"),
        n_layer=first.integer(f"{architecture}.block_count"),
        n_head=first.integer(f"{architecture}.attention.head_count"),
        n_vocab=first.length(TOKENS) or first.integer(f"{architecture}.vocab_size"),
        tokenizer=first.text("tokenizer.ggml.model"),
        chat_template=first.text("tokenizer.chat_template"),
        special_tokens=_special_tokens(first),
        tool_use_template=first.text("tokenizer.chat_template.tool_use"),
        rerank_template=first.text("tokenizer.chat_template.rerank"),
        has_classifier=any(part.contents.has_classifier for part in parts),
    )


def _read_architecture(first: ModelFile, parts: list[ModelFile]) -> str:
    """Raises ModelFileError if the files are not a complete model, or do not name their architecture."""
    kind = first.text("general.type") or "model"
    if kind != "model":
        other = OTHER_KINDS.get(kind, f"something of the type {reprlib.repr(kind)}")
        raise ModelFileError(f"{first.path} holds {other}, not a model")
    n_tensors = sum(part.contents.n_tensors for part in parts)
    expected = first.integer("split.tensors.count")
    if expected is not None and n_tensors != expected:
        raise ModelFileError(f"{first.path} and its other parts hold {n_tensors} tensors, expected {expected}")
    if n_tensors == 0:
        raise ModelFileError(f"{first.path} holds a vocabulary only, without the tensors of a model")
    architecture = first.text("general.architecture")
    if architecture is None:
        raise ModelFileError(f"{first.path} does not say which architecture it has (general.architecture)")
    return architecture


def _special_tokens(file: ModelFile) -> tuple[SpecialToken, ...]:
    ids = {name: file.integer(f"tokenizer.ggml.{key}") for name, key in SPECIAL_TOKENS.items()}
    texts = file.strings(TOKENS, {token for token in ids.values() if token is not None})
    return tuple(SpecialToken(name, token, texts.get(token)) for name, token in ids.items() if token is not None)
