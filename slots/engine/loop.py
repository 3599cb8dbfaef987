"""Engine loop: the thread that owns the llama contexts.

commands --> _receive --> completions.step --> embeddings.step --> _emit --> event loop
                ^                                                    |
                +----------------------------------------------------+
"""

import asyncio
import logging
import time
from functools import partial
from queue import SimpleQueue

from slots.completion.output_processor import StreamEvents
from slots.completion.runner import CompletionRunner
from slots.embedding.runner import EmbeddingRunner
from slots.engine.adapter_tasks import AdapterTasks
from slots.engine.commands import Cancel, Command, Drain, Embed, LoadAdapter, Submit, UnloadAdapter
from slots.engine.heartbeat import Heartbeat
from slots.errors import EngineError, ShuttingDown, internal_error
from slots.llama import LoraAdapters
from slots.metrics.engine_stats import EngineStats
from slots.scheduling.slot_tasks import SlotTask

_log = logging.getLogger("slots")


class EngineLoop:
    """Alternates steps of completions and of embeddings. Engine thread only, except where noted."""

    def __init__(
        self,
        completions: CompletionRunner | None,
        embeddings: EmbeddingRunner,
        adapters: LoraAdapters,
        commands: SimpleQueue[Command],
        *,
        stats: EngineStats,
        heartbeat: Heartbeat,
    ) -> None:
        self.has_ended = False  # read from other threads
        self._completions = completions
        self._embeddings = embeddings
        self._has_embeddings = False  # whether the runner has any work
        self._runners = [runner for runner in (completions, embeddings) if runner]
        self._adapter_tasks = AdapterTasks(adapters, self._runners)
        self._commands = commands
        self._stats = stats
        self._heartbeat = heartbeat
        self._n_computed = 0

    def run(self, loop: asyncio.AbstractEventLoop) -> None:
        """Run until a Stop command. Events are delivered on `loop`."""
        try:
            while self._run_once(loop):
                self._emit(loop)
        except Exception:
            _log.exception("the engine cannot continue; the server has to be started again")
        finally:
            self.has_ended = True
            self._receive_rest()
            self._fail_all(_shutting_down())
            self._adapter_tasks.fail_all(_shutting_down())
            self._emit(loop)
            self.close()

    def close(self) -> None:
        for runner in self._runners:
            runner.close()

    def _run_once(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Returns False after Stop. A failure outside of a step fails all requests."""
        try:
            if not self._receive():
                return False
            self._adapter_tasks.unload_unused()
            is_generating = self._completions is not None and self._completions.has_work
            if self._completions:
                self._completions.step(partial(self._emit, loop))
            if self._has_embeddings:
                self._emit(loop)  # so that tokens do not wait for the embeddings
                self._embeddings.step(completions_idle=not is_generating)
                self._has_embeddings = self._embeddings.has_work
        except Exception:
            _log.exception("the engine failed outside of a step, and with it all requests")
            self._fail_all(internal_error())
            if self._completions:
                self._completions.reset_slots()
        return True

    def _receive(self) -> bool:
        """Carry out commands, waiting for one if there is no work. Returns False after Stop."""
        self._end_turn()
        has_completions = self._completions and self._completions.has_work
        is_idle = not (self._has_embeddings or has_completions or self._adapter_tasks.is_waiting)
        if not is_idle:
            self._heartbeat.start(time.perf_counter())
        while is_idle or not self._commands.empty():
            command = self._commands.get()
            if is_idle:
                self._heartbeat.start(time.perf_counter())
                is_idle = False
            if isinstance(command, Drain):
                for runner in self._runners:
                    runner.fail_waiting(_shutting_down())
            elif not self._dispatch(command):
                return False
        return True

    def _end_turn(self) -> None:
        """Take in how long the turn of the loop took that ends here."""
        seconds = self._heartbeat.end(time.perf_counter())
        self._stats.busy_seconds += seconds
        n_before, self._n_computed = self._n_computed, self._stats.cache.n_computed_tokens
        if self._n_computed > n_before:
            self._heartbeat.record_prefill(self._n_computed - n_before, seconds)

    def _dispatch(self, command: Command) -> bool:
        if isinstance(command, Embed):
            self._embeddings.add(command.job)
            self._has_embeddings = True
        elif isinstance(command, LoadAdapter):
            self._adapter_tasks.load(command)
        elif isinstance(command, UnloadAdapter):
            self._adapter_tasks.add(command)
        elif self._completions and isinstance(command, Submit):
            self._completions.add(command.state, command.stream)
        elif self._completions and isinstance(command, SlotTask):
            self._completions.add_task(command)
        elif self._completions and isinstance(command, Cancel):
            self._completions.cancel(command.request_id)
        else:
            return False
        return True

    def _receive_rest(self) -> None:
        """Receive the commands that came too late, so that they fail with all others."""
        while not self._commands.empty():
            self._dispatch(self._commands.get())

    def _fail_all(self, error: EngineError) -> None:
        for runner in self._runners:
            runner.fail_all(error)

    def _emit(self, loop: asyncio.AbstractEventLoop) -> None:
        due = self._completions.drain_events() if self._completions else []
        if not due:
            return
        try:
            loop.call_soon_threadsafe(_deliver, due)
        except RuntimeError:
            _log.debug("the event loop is closed: the events for %d streams are lost", len(due))


def _deliver(due: list[StreamEvents]) -> None:
    """Runs on the event loop."""
    for stream, events in due:
        stream.deliver(events)


def _shutting_down() -> ShuttingDown:
    return ShuttingDown("the server is shutting down")
