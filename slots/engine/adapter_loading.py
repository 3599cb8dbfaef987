"""Adapter loading: from files to adapters that requests can use, at the start and later."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from models.adapter import AdapterHeader, read_adapter
from models.errors import ModelFileError
from slots.engine.adapters import MAX_ADAPTERS, Adapter, Adapters
from slots.engine.commands import Command, LoadAdapter, UnloadAdapter
from slots.errors import InvalidRequest, ModelLoadError
from slots.llama import Model


def load_at_start(model: Model, files: Sequence[tuple[Path, float]], *, apply: bool) -> Adapters:
    """Loads adapters with their scales, before the contexts of the model are made. They are named after their files,
    and apply to all requests that do not say, if `apply`. Raises ModelLoadError."""
    adapters = Adapters()
    for path, scale in files:
        number = adapters.reserve_number()
        try:
            header = read_adapter(path, model.path)
        except ModelFileError as error:
            raise ModelLoadError(str(error)) from None
        model.adapters.load(number, path)
        adapters.add(Adapter(number, _free_name(path.stem, adapters), scale, header), is_global=apply)
    try:
        adapters.check_global()
    except InvalidRequest as error:
        raise ModelLoadError(str(error)) from None
    return adapters


def _free_name(name: str, adapters: Adapters) -> str:
    """Returns a name, with a number after it if another adapter has it."""
    names = {adapter.name for adapter in adapters.loaded}
    numbered = (f"{name}-{number}" for number in range(2, len(names) + 3))
    return next(free for free in (name, *numbered) if free not in names)


class AdapterLoader:
    """Loads and unloads adapters while the engine runs. Belongs to the event loop."""

    def __init__(self, model: Model, adapters: Adapters, send: Callable[[Command], None]) -> None:
        """`send` raises ShuttingDown once the engine stops."""
        self._model = model
        self._adapters = adapters
        self._send = send
        self._names: set[str] = set()
        """Of those that are being loaded."""

    async def load(self, name: str, path: Path, scale: float) -> Adapter:
        """Load an adapter that only requests use which name it. It is loaded whole or not at all if the caller is
        cancelled. Raises InvalidRequest if the name is taken, and for a file that is no adapter of this model."""
        if name in self._names or any(known.name == name for known in self._adapters.all):
            raise InvalidRequest("lora_name", f"expected a name that no adapter has, got {name}")
        if len(self._adapters.all) + len(self._names) >= MAX_ADAPTERS:
            raise InvalidRequest("lora_name", f"expected no more than {MAX_ADAPTERS} adapters to be loaded")
        self._names.add(name)
        return await asyncio.shield(asyncio.ensure_future(self._load(name, path, scale)))

    async def unload(self, name: str) -> None:
        """Refuse further requests for an adapter, wait until the others have ended, and free it; also if the caller is
        cancelled. Raises AdapterNotFound, and ShuttingDown if the engine stops before."""
        adapter = self._adapters.start_unloading(name)
        await asyncio.shield(asyncio.ensure_future(self._unload(adapter)))

    async def _load(self, name: str, path: Path, scale: float) -> Adapter:
        try:
            header = await asyncio.to_thread(self._read, path)
            command = LoadAdapter(self._adapters.reserve_number(), path)
            self._send(command)
            await asyncio.wrap_future(command.future)
        except (ModelFileError, ModelLoadError) as error:
            raise InvalidRequest("lora_path", str(error)) from None
        finally:
            self._names.discard(name)
        adapter = Adapter(command.number, name, scale, header)
        self._adapters.add(adapter, is_global=False)
        return adapter

    def _read(self, path: Path) -> AdapterHeader:
        return read_adapter(path, self._model.path)

    async def _unload(self, adapter: Adapter) -> None:
        command = UnloadAdapter(adapter.number)
        self._send(command)
        await asyncio.wrap_future(command.future)
        self._adapters.remove(adapter)
