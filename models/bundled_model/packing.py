"""Packing: tokenizes documents and packs them into training sequences."""

from collections.abc import Iterator
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor

from models.bundled_model.corpus.phrasing import BREAK

DOCUMENTS_AT_ONCE = 2000
MIN_REMAINDER_TOKENS = 48


def encode_documents(documents: Iterator[str], tokenizer: Tokenizer) -> Iterator[NDArray[np.uint16]]:
    """Yields the tokens of each document, (length,) uint16. Texts between prompt breaks are tokenized separately."""
    while block := [document.split(BREAK) for document in islice(documents, DOCUMENTS_AT_ONCE)]:
        pieces = iter(tokenizer.encode_batch([piece for document in block for piece in document]))
        for document in block:
            yield np.array([token for piece in islice(pieces, len(document)) for token in piece.ids], dtype=np.uint16)


def sequences(tokens: Iterator[NDArray[np.uint16]], length: int) -> Iterator[NDArray[np.uint16]]:
    """Packs documents into sequences, each (length,) uint16.

    A sequence begins with a document, as a prompt does, or with the remainder of the last one, which is dropped if it
    is shorter than MIN_REMAINDER_TOKENS.
    """
    parts: list[NDArray[np.uint16]] = []
    n_free = length
    for document in tokens:
        remainder = document
        while len(remainder) >= n_free:
            yield np.concatenate([*parts, remainder[:n_free]])
            remainder = remainder[n_free:] if len(remainder) - n_free >= MIN_REMAINDER_TOKENS else remainder[:0]
            parts, n_free = [], length
        parts.append(remainder)
        n_free -= len(remainder)


def batches(tokens: Iterator[NDArray[np.uint16]], length: int, tokens_a_batch: int) -> Iterator[Tensor]:
    """Batches of sequences, (tokens_a_batch // length, length + 1) int64: inputs, and targets one token later."""
    source = sequences(tokens, length + 1)
    while rows := list(islice(source, tokens_a_batch // length)):
        yield torch.from_numpy(np.stack(rows).astype(np.int64))
