"""JobSpec: what the process of a job is to do, in a file of the job's folder. It holds no secrets."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from models.tuning.options import TrainingOptions
from server.fine_tuning.job.download import DownloadLimits

SPEC = "spec.json"
RESULT = "result.json"
"""Written by the process when it is done."""
TRAINING, VALIDATION = "training", "validation"
"""Files with the data, in the folder."""


@dataclass(frozen=True, slots=True)
class JobSpec:
    name: str
    """Of the adapter."""
    model_path: str
    architecture: str
    chat_template: str | None
    n_ctx: int
    """Tokens to which a sequence is truncated."""
    options: TrainingOptions
    training_url: str | None = None
    """None if the file is there already."""
    validation_url: str | None = None
    has_validation: bool = False
    limits: DownloadLimits = field(default_factory=DownloadLimits)
    n_threads: int = 1
    template_kwargs: Mapping[str, Any] = field(default_factory=dict)
    """Variables of the chat template."""
    reporting: Mapping[str, Any] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        descriptor = os.open(folder / SPEC, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(self), file)

    @classmethod
    def read(cls, folder: Path) -> Self:
        values = json.loads((folder / SPEC).read_text(encoding="utf-8"))
        values["options"] = TrainingOptions.from_json(values["options"])
        values["limits"] = DownloadLimits(**values["limits"])
        return cls(**values)
