"""NewJob: what a request for a fine-tuning job says, in any dialect."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from models.tuning.options import TrainingOptions


@dataclass(frozen=True, slots=True)
class NewJob:
    training_file: str
    validation_file: str | None = None
    options: TrainingOptions = field(default_factory=TrainingOptions)
    suffix: str | None = None
    reporting: Mapping[str, Any] = field(default_factory=dict)
    """Of Weights & Biases, without the key."""
    key: str = ""
    """Of Weights & Biases."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
