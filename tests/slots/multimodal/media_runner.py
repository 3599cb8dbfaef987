"""The real engine with a projector, and prompts of texts and media."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from slots.multimodal.media import Media
from slots.options import EngineOptions, MediaOptions
from slots.requests.media import RequestMedia
from slots.requests.request import CompletionRequest
from slots.requests.sampling_params import SamplingParams
from slots.requests.stream import CompletionStream
from tests.slots.engine_runner import Completion, EngineRunner, engine_maker, read
from tests.slots.multimodal.projectors import model, projector

Piece = str | bytes | list[int]
"""A text, the bytes of a file, or tokens."""

GREEDY = SamplingParams(temperature=0.0, n_probs=8)


class MediaRunner:
    """Runs prompts that hold the bytes of files among their texts."""

    def __init__(self, runner: EngineRunner) -> None:
        self.runner = runner
        self.engine = runner.engine

    async def load(self, data: bytes) -> Media:
        assert self.engine.media
        return await asyncio.to_thread(self.engine.media.load, "file", data)

    async def submit(self, pieces: tuple[Piece, ...], **options: Any) -> CompletionStream:
        tokens: list[int] = [self.engine.vocab.bos] if self.engine.vocab.add_bos and self.engine.vocab.bos else []
        media = [await self.load(piece) for piece in pieces if isinstance(piece, bytes)]
        rest = iter(media)
        for piece in pieces:
            if isinstance(piece, bytes):
                tokens += next(rest).tokens
            elif isinstance(piece, list):
                tokens += piece
            else:
                tokens += self.engine.vocab.tokenize(piece, add_special=False, parse_special=True)
        await self.engine.encode(media)
        chunks = RequestMedia(tuple(chunk for each in media for chunk in each.chunks))
        fields: dict[str, Any] = {"n_predict": 1, "sampling": GREEDY, "media": chunks} | options
        return self.engine.submit(CompletionRequest(tuple(tokens), **fields))

    async def complete(self, *pieces: Piece, **options: Any) -> Completion:
        return await read(await self.submit(pieces, **options))


@contextmanager
def media_runner(
    kind: str, options: EngineOptions | None = None, min_tokens: int = -1, max_tokens: int = -1, **context: Any
) -> Iterator[MediaRunner]:
    """An engine for a kind of projector; numbers of tokens are those of a picture of any size."""
    media = MediaOptions(projector(kind), n_threads=1, image_min_tokens=min_tokens, image_max_tokens=max_tokens)

    with engine_maker(n_threads=1, flash_attention="off", n_ctx=4096) as make:
        yield MediaRunner(make(replace(options or EngineOptions(), media=media), path=model(kind), **context))


def top_logprobs(completion: Completion) -> dict[int, float]:
    """Returns the most likely first tokens with their log probabilities."""
    logprobs = completion.tokens[0].logprobs
    assert logprobs
    return {each.token: each.logprob for each in logprobs.top}
