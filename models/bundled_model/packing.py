"""The corpus as tokens, and its cutting into training sequences."""

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
    """The tokens of each document, what lies between two prompt breaks tokenized by itself, (length,) uint16."""
    while block := [document.split(BREAK) for document in islice(documents, DOCUMENTS_AT_ONCE)]:
        pieces = iter(tokenizer.encode_batch([piece for document in block for piece in document]))
        for document in block:
            yield np.array([token for piece in islice(pieces, len(document)) for token in piece.ids], dtype=np.uint16)


def sequences(tokens: Iterator[NDArray[np.uint16]], length: int) -> Iterator[NDArray[np.uint16]]:
    """Sequences of documents, each (length,) uint16.

    A sequence begins where a document begins, as a prompt does, or with what overhung the sequence before, unless that
    is too short to be worth it.
    """
    gathered: list[NDArray[np.uint16]] = []
    room = length
    for document in tokens:
        remainder = document
        while len(remainder) >= room:
            yield np.concatenate([*gathered, remainder[:room]])
            remainder = remainder[room:] if len(remainder) - room >= MIN_REMAINDER_TOKENS else remainder[:0]
            gathered, room = [], length
        gathered.append(remainder)
        room -= len(remainder)


def batches(tokens: Iterator[NDArray[np.uint16]], length: int, tokens_a_batch: int) -> Iterator[Tensor]:
    """Batches of sequences with one token more than is predicted, (tokens_a_batch // length, length + 1) int64."""
    source = sequences(tokens, length + 1)
    while rows := list(islice(source, tokens_a_batch // length)):
        yield torch.from_numpy(np.stack(rows).astype(np.int64))
