"""The llama contexts of an engine: which ones a model and the options ask for."""

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from slots.errors import CannotGenerate
from slots.llama import Context, EmbeddingContext, Model, ModelInfo
from slots.llama.embedding_limits import max_causal_tokens
from slots.options import ContextOptions, EngineOptions, Pooling
from slots.speculation import Drafter, make_drafter

_log = logging.getLogger("slots")

_CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")
"""A number of bytes, or "max"."""


def default_n_ctx(info: ModelInfo, n_parallel: int, *, kv_unified: bool, memory_bytes: int) -> int:
    """The number of cells with which a slot can use all of the context that the model was trained with.

    With cells of its own for each slot that is the trained context times the slots; it is cut down, and a warning
    says so, where the KV cache (16-bit) would take more than half of `memory_bytes`.
    """
    wanted = info.n_ctx_train * (1 if kv_unified else n_parallel)
    affordable = memory_bytes // 2 // max(info.kv_bytes_per_token, 1)
    if wanted <= affordable:
        return wanted
    _log.warning(
        "the context is cut down from %d to %d tokens in all: more of the KV cache does not fit into half of the"
        " memory; choose another size with --ctx-size",
        wanted,
        affordable,
    )
    return affordable


def total_memory_bytes() -> int:
    """The memory of this machine, or of the container that this runs in."""
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        return min(physical, int(_CONTAINER_LIMIT.read_text()))
    except (OSError, ValueError):
        return physical


@dataclass(frozen=True, slots=True)
class Contexts:
    """What an engine computes with."""

    completion: Context | None
    """None if no text is generated."""
    pooling: Pooling
    max_embedding_tokens: int
    """Most tokens of a text to embed."""
    drafter: Drafter | None
    """Guesses tokens ahead for completions."""
    make_embedding_context: Callable[[], EmbeddingContext]
    """Raises ModelLoadError, where the context is only made when it is needed."""


def make_contexts(model: Model, options: ContextOptions, engine: EngineOptions) -> Contexts:
    """The context for completions, if the model can generate text and is to; the one for embeddings is made at once
    only where it is all that there is. Raises ModelLoadError."""
    pooling = engine.pooling or model.pooling or "mean"
    ranks = pooling == "rank"
    # Room for the logits of all tokens of a batch is a GB for a large vocabulary; only drafts ask for that many.
    n_outputs = None if engine.speculation.spec_types else options.n_parallel
    can_generate = not (engine.embeddings_only or ranks)
    completion = _completion_context(model, replace(options, n_outputs=n_outputs)) if can_generate else None
    if completion is None:
        embedding = EmbeddingContext(model, options, options.n_ctx or model.info.n_ctx_train, ranks=ranks)
        return Contexts(None, pooling, embedding.limits.max_tokens, None, lambda: embedding)
    n_ctx = completion.n_ctx_seq
    make_embedding = partial(EmbeddingContext, model, options, n_ctx, ranks=False)
    drafter = make_drafter(model, completion, options, engine.speculation)
    return Contexts(completion, pooling, max_causal_tokens(options, n_ctx), drafter, make_embedding)


def _completion_context(model: Model, options: ContextOptions) -> Context | None:
    """None for a model that generates no text."""
    try:
        context = Context(model, _with_size(options, model.info))
    except CannotGenerate:
        return None
    if context.n_top_tokens:
        _log.info(
            "Backend sampling: the %d largest logits of each slot are found where they are computed",
            context.n_top_tokens,
        )
    return context


def _with_size(options: ContextOptions, info: ModelInfo) -> ContextOptions:
    if options.n_ctx:
        return options
    n_ctx = default_n_ctx(info, options.n_parallel, kv_unified=options.kv_unified, memory_bytes=total_memory_bytes())
    return replace(options, n_ctx=n_ctx)
