"""The real engine on the bundled model, and ways to ask it."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.source import BUNDLED_MODEL
from slots.engine import Engine
from slots.options import ContextOptions, EngineOptions, ModelOptions
from slots.requests.events import Failed, Finished, Token
from slots.requests.request import CompletionRequest
from slots.requests.sampling_params import SamplingParams
from slots.requests.stream import CompletionStream

GREEDY = SamplingParams(temperature=0.0)


def load_engine(context: ContextOptions, options: EngineOptions | None = None, path: Path = BUNDLED_MODEL) -> Engine:
    """Returns an engine that is not started yet."""
    return Engine.load(ModelOptions(path), context, options or EngineOptions(), lambda _share: None)


@dataclass(frozen=True)
class Completion:
    """All that a stream said."""

    text: str
    tokens: list[Token]
    finished: Finished


async def read(stream: CompletionStream) -> Completion:
    """Read a stream to its end; a Failed is raised."""
    tokens: list[Token] = []
    async for event in stream:
        if isinstance(event, Token):
            tokens.append(event)
        elif isinstance(event, Failed):
            raise event.error
        else:
            return Completion("".join(token.text for token in tokens), tokens, event)
    raise AssertionError("the stream ended without its last event")


class EngineRunner:
    """Runs coroutines on the event loop that an engine delivers to."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._loop = asyncio.new_event_loop()
        engine.start(self._loop)

    def run(self, test: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        """Run a test to its end."""
        self._loop.run_until_complete(asyncio.wait_for(test(), timeout=60))

    def prompt(self, text: str) -> tuple[int, ...]:
        """The tokens of a prompt."""
        return tuple(self.engine.vocab.tokenize(text, add_special=True, parse_special=True))

    async def complete(
        self, prompt: str | tuple[int, ...], sampling: SamplingParams = GREEDY, **options: Any
    ) -> Completion:
        """The whole completion of a prompt; greedy unless told otherwise."""
        tokens = self.prompt(prompt) if isinstance(prompt, str) else prompt
        return await read(self.engine.submit(CompletionRequest(tokens, sampling, **options)))

    def close(self) -> None:
        """Stop the engine."""
        self.engine.stop()
        self._loop.close()


MakeRunner = Callable[..., EngineRunner]
