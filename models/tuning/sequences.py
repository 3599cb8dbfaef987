"""Sequences: the tokens of prompts with responses, and batches of them."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from models.tuning.network import IGNORED


@dataclass(frozen=True, slots=True)
class TokenSequence:
    tokens: tuple[int, ...]
    n_prompt: int
    """The first ones, whose probability is not trained."""


@dataclass(frozen=True, slots=True)
class Batch:
    tokens: Tensor
    """(batch, time) int64, padded at the end."""
    labels: Tensor
    """(batch, time) int64: the next token, or IGNORED if that is no part of a response."""
    n_labels: int

    def to(self, device: torch.device) -> "Batch":
        return Batch(self.tokens.to(device), self.labels.to(device), self.n_labels)


def make_batch(sequences: Sequence[TokenSequence]) -> Batch:
    length = max(len(sequence.tokens) for sequence in sequences) - 1
    tokens = torch.zeros(len(sequences), length, dtype=torch.int64)
    labels = torch.full((len(sequences), length), IGNORED, dtype=torch.int64)
    for row, sequence in enumerate(sequences):
        ids, start = torch.tensor(sequence.tokens), sequence.n_prompt - 1
        tokens[row, : len(ids) - 1] = ids[:-1]
        labels[row, start : len(ids) - 1] = ids[1 + start :]
    return Batch(tokens, labels, int((labels != IGNORED).sum()))


def batches(sequences: Sequence[TokenSequence], size: int) -> list[Batch]:
    """Returns batches of sequences of about one length, so that little is padded."""
    ordered = sorted(sequences, key=lambda sequence: len(sequence.tokens))
    return [make_batch(ordered[start : start + size]) for start in range(0, len(ordered), size)]


def shuffled_batches(
    sequences: Sequence[TokenSequence], size: int, seed: int, epoch: int
) -> list[Sequence[TokenSequence]]:
    """Returns the rows of the batches of an epoch, in the same order each time for one seed."""
    order = random.Random(f"{seed} {epoch}").sample(range(len(sequences)), len(sequences))
    return [[sequences[index] for index in order[start : start + size]] for start in range(0, len(order), size)]
