"""Events of a job: lines of JSON in a file, which the job's process appends and the server reads."""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

Level = Literal["info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Event:
    message: str
    level: Level = "info"
    timestamp: float = field(default_factory=time.time)
    """Seconds since 1970."""
    step: int | None = None
    """Of the optimizer, with metrics."""
    metrics: Mapping[str, float] | None = None


class EventLog:
    """Appends to the file and reads it. A line is written at once, so that a killed process leaves whole ones."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def say(self, message: str, level: Level = "info") -> None:
        self._append(Event(message, level))

    def report(self, step: int, metrics: Mapping[str, float]) -> None:
        """Appends metrics, whose message is Python's spelling of a dictionary, as LLM Engine has it."""
        rounded = {name: float(f"{value:.6g}") for name, value in metrics.items()}
        self._append(Event(str(rounded), step=step, metrics=rounded))

    def read(self) -> list[Event]:
        """Returns the events so far, without lines that are not complete: one that is being written, or that a killed
        process has left."""
        try:
            lines = self._path.read_text(encoding="utf-8").split("\n")[:-1]
        except FileNotFoundError:
            return []
        return [event for line in lines if (event := _parse(line))]

    def _append(self, event: Event) -> None:
        values: dict[str, Any] = {name: value for name, value in asdict(event).items() if value is not None}
        line = json.dumps(values, ensure_ascii=False) + "\n"
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "ab") as file:
            file.write(line.encode())


def _parse(line: str) -> Event | None:
    try:
        return Event(**json.loads(line))
    except (ValueError, TypeError):
        return None
