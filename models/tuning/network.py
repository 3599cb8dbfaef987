"""TrainedNetwork: what the training needs of a model with LoRA matrices."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

IGNORED = -100
"""The label of a token that is no part of a response."""

Pair = tuple[NDArray[np.float32], NDArray[np.float32]]
"""A, (rank, in) float32, and B, (out, rank) float32, of a matrix (out, in)."""


class TrainedNetwork(Protocol):
    @property
    def module(self) -> nn.Module:
        """Its trained parameters are those that require a gradient."""
        ...

    def loss(self, tokens: Tensor, labels: Tensor) -> Tensor:
        """Returns the sum of the cross-entropy of all labels but IGNORED, in nats: (batch, time) int64 each, where
        labels[:, i] is what follows tokens[:, i]."""
        ...

    def pairs(self) -> Mapping[str, Pair]:
        """Returns the trained matrices, by the model's names of the tensors that they change."""
        ...
