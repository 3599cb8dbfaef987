"""How many threads the next step uses: chosen by what steps take, without a clock of its own."""

from slots.threads.controller import ThreadController
from slots.threads.load import MachineLoad

__all__ = ["MachineLoad", "ThreadController"]
