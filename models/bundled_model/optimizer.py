"""Optimizer: Muon for the matrices of the network (Jordan et al., 2024), and the schedule of the training."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import overload

import torch
from torch import Tensor

WARM_UP_END = 0.02
DECAY_START = 0.4
LONG_START = 0.88
"""Shares of the time budget."""


class Muon(torch.optim.Optimizer):
    """Muon: SGD with Nesterov momentum, orthogonalized steps, and decoupled weight decay."""

    def __init__(self, matrices: Iterable[Tensor], lr: float, momentum: float, weight_decay: float) -> None:
        super().__init__(matrices, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Updates every matrix in place from its gradient, and returns what the closure returned."""
        loss = closure() if closure else None
        for group in self.param_groups:
            for matrix in group["params"]:
                self._update(matrix, group["lr"], group["momentum"], group["weight_decay"])
        return loss

    @torch.no_grad()
    def _update(self, matrix: Tensor, lr: float, momentum: float, weight_decay: float) -> None:
        gradient = matrix.grad
        if gradient is None:
            return
        state = self.state[matrix]
        if not state:
            state["average"] = torch.zeros_like(matrix)
        average = state["average"].lerp_(gradient, 1 - momentum)
        direction = orthogonalize(gradient.lerp(average, momentum))
        tallness = max(1.0, matrix.shape[0] / matrix.shape[1]) ** 0.5
        matrix.mul_(1 - lr * weight_decay).add_(direction, alpha=-lr * tallness)


def orthogonalize(matrix: Tensor, steps: int = 5) -> Tensor:
    """Returns approximately the nearest matrix with all singular values 1, (rows, columns) float32.

    The quintic Newton-Schulz iteration with the coefficients of Jordan et al. (2024).
    """
    is_tall = matrix.shape[0] > matrix.shape[1]
    x: Tensor = matrix.T if is_tall else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x.T if is_tall else x


@dataclass
class Budget:
    """A budget of wall time."""

    seconds: float
    started: float = field(default_factory=time.monotonic)

    @property
    def used(self) -> float:
        """The share of the time that has passed; above 1 after the end."""
        return (time.monotonic() - self.started) / self.seconds


def learning_rate_factor(used: float) -> float:
    """Warm-up, constant, then linear decay to zero (WSD, Hu et al., 2024), by time, so that slow machines decay too."""
    return max(0.0, min(1.0, used / WARM_UP_END, (1 - used) / (1 - DECAY_START)))


def wants_long_sequences(used: float) -> bool:
    return used >= LONG_START
