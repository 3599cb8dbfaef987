"""Records: the files, jobs and adapters that the store holds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Status = Literal["PENDING", "RUNNING", "SUCCESS", "FAILURE", "CANCELLED", "TIMEOUT"]
UNFINISHED: tuple[Status, ...] = ("PENDING", "RUNNING")


@dataclass(frozen=True, slots=True)
class FileRecord:
    id: str
    filename: str
    """As the client called it; the name on disk is the id."""
    purpose: str
    n_bytes: int
    n_characters: int | None
    """None if it is no text in UTF-8."""
    created: float
    """Seconds since 1970, here and below."""


@dataclass(frozen=True, slots=True)
class JobRecord:
    id: str
    created: float
    model: str
    """As the request called the base model."""
    name: str
    """Of the adapter that it makes."""
    training_file: str
    """A file's id or a URL."""
    validation_file: str | None
    options: Mapping[str, Any]
    """Of the training, as JSON."""
    model_digest: str = ""
    """Of the base model's files."""
    suffix: str | None = None
    reporting: Mapping[str, Any] = field(default_factory=dict)
    """Where metrics are reported to, without the key."""
    needs_key: bool = False
    """Whether the report takes a key, which is never written to disk."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Whatever the client wants to remember, and the shape of its request."""
    status: Status = "PENDING"
    reason: str | None = None
    """Why it failed."""
    started: float | None = None
    finished: float | None = None
    n_tokens: int | None = None
    """Trained ones."""
    n_attempts: int = 0
    """How often its process was started."""


@dataclass(frozen=True, slots=True)
class AdapterRecord:
    name: str
    job_id: str
    model_digest: str
    """Of the base model's files."""
    created: float
