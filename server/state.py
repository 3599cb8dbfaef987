"""What every endpoint needs: the settings, and the engine once its model is loaded."""

from dataclasses import dataclass

from server.settings import Settings
from slots.engine import Engine


@dataclass(slots=True)
class ServerState:
    """`engine` is None while the model loads."""

    settings: Settings
    engine: Engine | None = None
