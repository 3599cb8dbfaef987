"""The real engine, on the bundled model or another one, and its completions."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
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

EXACT: dict[str, Any] = {"n_threads": 1, "flash_attention": "off", "cache_type_k": "f32", "cache_type_v": "f32"}
"""Context options with which, on a model in 32-bit floats, the shape of a batch hardly changes the logits."""


def load_engine(context: ContextOptions, options: EngineOptions | None = None, path: Path = BUNDLED_MODEL) -> Engine:
    """Returns an engine that is not started yet."""
    return Engine.load(ModelOptions(path), context, options or EngineOptions(), lambda _share: None)


@dataclass(frozen=True)
class Completion:
    """All events of a stream."""

    text: str
    tokens: list[Token]
    finished: Finished

    @property
    def token_ids(self) -> list[int]:
        return [token.token for token in self.tokens]


async def read(stream: CompletionStream) -> Completion:
    """Read a stream to its end. Raises the error of a Failed."""
    tokens: list[Token] = []
    async for event in stream:
        if isinstance(event, Token):
            tokens.append(event)
        elif isinstance(event, Failed):
            raise event.error
        elif isinstance(event, Finished):
            return Completion("".join(token.text for token in tokens), tokens, event)
    raise AssertionError("the stream ended without its last event")


class EngineRunner:
    """Runs coroutines on the event loop that an engine delivers to."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._loop = asyncio.new_event_loop()
        engine.start(self._loop)

    def run(self, test: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        """Run a test, for at most five minutes."""
        self._loop.run_until_complete(asyncio.wait_for(test(), timeout=300))

    def prompt(self, text: str) -> tuple[int, ...]:
        """Returns the tokens of a prompt."""
        return tuple(self.engine.vocab.tokenize(text, add_special=True, parse_special=True))

    async def complete(
        self, prompt: str | tuple[int, ...], sampling: SamplingParams = GREEDY, **options: Any
    ) -> Completion:
        """Complete a prompt, by default with greedy sampling."""
        tokens = self.prompt(prompt) if isinstance(prompt, str) else prompt
        return await read(self.engine.submit(CompletionRequest(tokens, sampling, **options)))

    def close(self) -> None:
        """Stop the engine."""
        self.engine.stop()
        self._loop.close()


MakeRunner = Callable[..., EngineRunner]
"""make(options, path=model_file, **context_options)"""


@contextmanager
def engine_maker(**defaults: Any) -> Iterator[MakeRunner]:
    """A function that starts engines, with these context options by default. All are stopped at the end."""
    runners: list[EngineRunner] = []

    def make(options: EngineOptions | None = None, *, path: Path = BUNDLED_MODEL, **context: Any) -> EngineRunner:
        runners.append(EngineRunner(load_engine(ContextOptions(**{**defaults, **context}), options, path)))
        return runners[-1]

    try:
        yield make
    finally:
        for runner in runners:
            runner.close()


WITH_RUNNER_UP = SamplingParams(temperature=0.0, repeat_penalty=1.0, ignore_eos=True, n_probs=2)
"""Greedy sampling; each token is reported with the second most likely one."""

_NEAR_TIE = 0.05
"""Difference of log probabilities within which the shape of a batch may decide."""


def assert_same_text(one: Completion, other: Completion) -> None:
    """Two completions are equal up to the first near tie."""
    assert len(one.tokens) == len(other.tokens)
    for mine, theirs in zip(one.tokens, other.tokens, strict=True):
        assert mine.logprobs is not None
        first, second = mine.logprobs.top
        if mine.token != theirs.token:
            assert first.logprob - second.logprob < _NEAR_TIE
            return
