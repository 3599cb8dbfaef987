"""EngineHealth: whether an engine takes requests and works on them."""

from dataclasses import dataclass
from typing import Literal

Condition = Literal["ok", "draining", "stuck", "failed"]


@dataclass(frozen=True, slots=True)
class EngineHealth:
    condition: Condition
    """"draining" takes no more requests and finishes those that run; "stuck" is amid a step that takes too long."""
    step_seconds: float = 0.0
    """How long the step takes already, if it is stuck."""

    @property
    def is_alive(self) -> bool:
        """Whether it works on its requests, even if it takes no more."""
        return self.condition in ("ok", "draining")
