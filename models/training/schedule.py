"""The learning rate and the sequence length as functions of how much of the time budget is used."""

import time
from dataclasses import dataclass, field

WARM_UP_END = 0.02
DECAY_START = 0.4
LONG_START = 0.88


@dataclass
class Budget:
    """Wall time, and how much of it has passed."""

    seconds: float
    started: float = field(default_factory=time.monotonic)

    @property
    def used(self) -> float:
        """The share of the time that has passed; 1 and above means that it is over."""
        return (time.monotonic() - self.started) / self.seconds


def learning_rate_factor(used: float) -> float:
    """Warm-up, constant, then a linear decay to zero (WSD, Hu et al., 2024), by time: a slow machine ends well too."""
    return max(0.0, min(1.0, used / WARM_UP_END, (1 - used) / (1 - DECAY_START)))


def wants_long_sequences(used: float) -> bool:
    """Whether it is time to train the whole context."""
    return used >= LONG_START
