"""Serving: fine-tunes beside an engine, which gets the adapters that there are, and each new one."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from models.tuning.errors import StoreError
from server.fine_tuning.base_model import BaseModel
from server.fine_tuning.queue import PublishError
from server.fine_tuning.service import FineTuning
from server.settings import Settings
from slots.engine import Engine
from slots.errors import EngineError, InvalidRequest

logger = logging.getLogger("server")


async def open_fine_tuning(settings: Settings, engine: Engine, get_engine: Callable[[], Engine | None]) -> FineTuning:
    """Returns the fine-tunes of the folder that a flag names, once their adapters are loaded into an engine, which
    runs. Its jobs wait until its queue is started. `get_engine` returns the engine that serves, None while the model
    sleeps. Raises InvalidRequest, which names the flag, for a folder that cannot be used."""
    loop = asyncio.get_running_loop()

    def publish(name: str, path: Path) -> None:
        """Blocks until the adapter is loaded; if the model sleeps, it is when the model wakes. Called by the thread of
        the jobs."""
        running = get_engine()
        if running is None:
            return
        try:
            asyncio.run_coroutine_threadsafe(running.load_adapter(name, path), loop).result()
        except EngineError as error:
            raise PublishError(str(error)) from None

    info = engine.model.info
    model = await asyncio.to_thread(
        BaseModel.read,
        settings.alias,
        settings.model_path,
        info.architecture,
        settings.chat_template,
        info.n_ctx_train,
        template_kwargs=settings.chat_template_kwargs,
    )
    try:
        tuning = await asyncio.to_thread(FineTuning, settings.fine_tune, model, publish)
    except StoreError as error:
        raise InvalidRequest("argument --fine-tune-path", str(error)) from None
    await load_adapters(tuning, engine)
    return tuning


async def load_adapters(tuning: FineTuning, engine: Engine) -> None:
    """Loads the adapters of all fine-tuned models. Logs which cannot be."""
    for record in await asyncio.to_thread(tuning.adapters):
        try:
            await engine.load_adapter(record.name, tuning.store.adapter_path(record.name))
        except EngineError as error:
            logger.warning("The fine-tuned model %s cannot be served: %s", record.name, error)
