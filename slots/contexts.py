"""The llama contexts of an engine: which ones a model and the options ask for."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from slots.context_size import default_n_ctx, total_memory_bytes
from slots.embedding_limits import most_chunked_tokens
from slots.errors import CannotGenerate
from slots.llama import Context, EmbeddingContext, Model, ModelInfo
from slots.options import ContextOptions, EngineOptions, Pooling


@dataclass(frozen=True, slots=True)
class Contexts:
    """What an engine computes with."""

    completion: Context | None
    """None if no text is generated."""
    pooling: Pooling
    max_embedding_tokens: int
    """Most tokens of a text to embed."""
    make_embedding: Callable[[], EmbeddingContext]
    """Raises ModelLoadError, where the context is only made when it is needed."""


def make_contexts(model: Model, options: ContextOptions, engine: EngineOptions) -> Contexts:
    """The context for completions, if the model can generate text and is to; the one for embeddings is made at once
    only where it is all that there is. Raises ModelLoadError."""
    pooling = engine.pooling or model.pooling or "mean"
    ranks = pooling == "rank"
    completion = None if engine.embeddings_only or ranks else _completion_context(model, options)
    if completion is None:
        embedding = EmbeddingContext(model, options, options.n_ctx or model.info.n_ctx_train, ranks=ranks)
        return Contexts(None, pooling, embedding.limits.max_tokens, lambda: embedding)
    n_ctx = completion.n_ctx_seq
    make_embedding = partial(EmbeddingContext, model, options, n_ctx, ranks=False)
    return Contexts(completion, pooling, most_chunked_tokens(options, n_ctx), make_embedding)


def _completion_context(model: Model, options: ContextOptions) -> Context | None:
    """None for a model that generates no text."""
    try:
        return Context(model, _with_size(options, model.info))
    except CannotGenerate:
        return None


def _with_size(options: ContextOptions, info: ModelInfo) -> ContextOptions:
    if options.n_ctx:
        return options
    n_ctx = default_n_ctx(info, options.n_parallel, kv_unified=options.kv_unified, memory_bytes=total_memory_bytes())
    return replace(options, n_ctx=n_ctx)
