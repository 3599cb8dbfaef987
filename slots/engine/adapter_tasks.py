"""Adapter tasks: load and unload LoRA adapters between two steps, in the engine's thread."""

import logging
from collections.abc import Sequence
from typing import Protocol

from slots.engine.commands import LoadAdapter, UnloadAdapter
from slots.errors import EngineError
from slots.llama import LoraAdapters

_log = logging.getLogger("slots")


class AdapterUser(Protocol):
    def uses_adapter(self, number: int) -> bool: ...


class AdapterTasks:
    """Engine thread only."""

    def __init__(self, adapters: LoraAdapters, users: Sequence[AdapterUser]) -> None:
        self._adapters = adapters
        self._users = users
        self._to_unload: list[UnloadAdapter] = []

    @property
    def is_waiting(self) -> bool:
        """Whether an adapter is to be unloaded when the requests that use it have ended."""
        return bool(self._to_unload)

    def load(self, command: LoadAdapter) -> None:
        if not command.future.set_running_or_notify_cancel():
            return
        try:
            self._adapters.load(command.number, command.path)
        except Exception as error:
            command.future.set_exception(error)
        else:
            command.future.set_result(None)

    def add(self, command: UnloadAdapter) -> None:
        self._to_unload.append(command)

    def unload_unused(self) -> None:
        """Unload the adapters that no request uses any more, also if nobody waits for that."""
        for command in list(self._to_unload):
            if any(user.uses_adapter(command.number) for user in self._users):
                continue
            self._to_unload.remove(command)
            _log.debug("adapter %d is unloaded: no request uses it", command.number)
            self._adapters.unload(command.number)
            if command.future.set_running_or_notify_cancel():
                command.future.set_result(None)

    def fail_all(self, error: EngineError) -> None:
        for command in self._to_unload:
            if command.future.set_running_or_notify_cancel():
                command.future.set_exception(error)
        self._to_unload.clear()
