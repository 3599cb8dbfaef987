"""delete_adapter: removes what a fine-tuning job has made."""

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from slots.engine import Engine
from slots.errors import AdapterNotFound

if TYPE_CHECKING:
    from server.fine_tuning.service import FineTuning

logger = logging.getLogger("server")


async def delete_adapter(tuning: "FineTuning | None", engine: Engine, name: str) -> bool:
    """Deletes an adapter that a job has made: at once no further request may use it, and when those that do have ended
    it is removed, also if the caller is cancelled. Returns whether there was one."""
    if tuning is None or all(record.name != name for record in await asyncio.to_thread(tuning.adapters)):
        return False
    await asyncio.shield(asyncio.ensure_future(_delete(tuning, engine, name)))
    return True


async def _delete(tuning: "FineTuning", engine: Engine, name: str) -> None:
    # One that could not be loaded has nothing to unload.
    with contextlib.suppress(AdapterNotFound):
        await engine.unload_adapter(name)
    await asyncio.to_thread(tuning.store.remove_adapter, name)
    logger.info("The fine-tuned model %s is deleted", name)
