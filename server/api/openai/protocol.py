"""What all parts of one answer have in common."""

import secrets
import time
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Envelope:
    answer_id: str
    created: int
    """Seconds since 1970."""
    model: str
    fingerprint: str
    """Of the model's file and the layout of its context."""

    @classmethod
    def new(cls, prefix: str, model: str, engine_fingerprint: str) -> Self:
        """Returns one of an answer that begins now, with an id of its own."""
        answer_id = f"{prefix}-{secrets.token_urlsafe(18)}"
        return cls(answer_id, int(time.time()), model, f"fp_{engine_fingerprint[:12]}")

    def around(self, kind: str, choices: list[dict[str, object]]) -> dict[str, object]:
        """Returns the JSON object of `kind` with these choices."""
        return {
            "id": self.answer_id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": self.fingerprint,
            "choices": choices,
        }
