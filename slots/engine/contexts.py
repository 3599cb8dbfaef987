"""Contexts: the llama contexts that a model and the options need."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from slots.errors import CannotGenerate
from slots.llama import Context, EmbeddingContext, Model, ModelInfo
from slots.llama.embedding_limits import max_causal_tokens
from slots.machine import usable_memory
from slots.options import ContextOptions, EngineOptions, Pooling, SpeculationOptions
from slots.sampling import ProposalSampler
from slots.speculation import Drafter, make_drafter
from slots.threads import MachineLoad, ThreadController

_log = logging.getLogger("slots")

_MAX_DRAFTED_TOKENS = 64
"""Of a step, unless the options want longer drafts. More seldom pay, and each has a row of logits: those of a whole
batch take a GB with a large vocabulary."""


def default_n_ctx(info: ModelInfo, n_parallel: int, *, kv_unified: bool, memory_bytes: int) -> int:
    """Returns the number of KV cells that gives each slot the model's training context.

    It is reduced, with a warning, if a 16-bit KV cache of that size would take more than half of `memory_bytes`.
    """
    wanted = info.n_ctx_train * (1 if kv_unified else n_parallel)
    affordable = memory_bytes // 2 // max(info.kv_bytes_per_token, 1)
    if wanted <= affordable:
        return wanted
    _log.warning(
        "the context is reduced from %d to %d tokens in total: a larger KV cache does not fit into half of the memory;"
        " choose another size with --ctx-size",
        wanted,
        affordable,
    )
    return affordable


def max_drafted_tokens(options: SpeculationOptions) -> int:
    """Returns how many drafted tokens a step may have, of all slots together."""
    lengths = {"ngram": options.ngram_draft, "draft-simple": options.draft_n_max}
    return max((_MAX_DRAFTED_TOKENS, *map(lengths.__getitem__, options.spec_types))) if options.spec_types else 0


@dataclass(frozen=True, slots=True)
class Contexts:
    completion: Context | None
    """None if no text is generated."""
    pooling: Pooling
    max_embedding_tokens: int
    drafter: Drafter | None
    threads: ThreadController
    """How many threads the steps of completions use, or those of embeddings if no text is generated."""
    load: MachineLoad
    """What all threads of this process that compute with the model share about the machine."""
    make_embedding_context: Callable[[], EmbeddingContext]
    """May raise ModelLoadError: next to completions, the context is created when it is first needed."""


def make_contexts(model: Model, options: ContextOptions, engine: EngineOptions) -> Contexts:
    """Create the context for completions or, if no text is generated, the one for embeddings. Raises ModelLoadError."""
    pooling = engine.pooling or model.pooling or "mean"
    ranks = pooling == "rank"
    n_outputs = options.n_parallel + max_drafted_tokens(engine.speculation)
    can_generate = not (engine.embeddings_only or ranks)
    load = MachineLoad()
    completion = _completion_context(model, replace(options, n_outputs=n_outputs), load) if can_generate else None
    if completion is None:
        embedding = EmbeddingContext(model, options, options.n_ctx or model.info.n_ctx_train, load, ranks=ranks)
        return Contexts(None, pooling, embedding.limits.max_tokens, None, embedding.threads, load, lambda: embedding)
    n_ctx = completion.n_ctx_seq
    make_embedding = partial(EmbeddingContext, model, options, n_ctx, load, ranks=False)
    drafter = make_drafter(model, completion, options, engine.speculation, ProposalSampler, load=load)
    max_embedding_tokens = max_causal_tokens(options, n_ctx)
    return Contexts(completion, pooling, max_embedding_tokens, drafter, completion.threads, load, make_embedding)


def _completion_context(model: Model, options: ContextOptions, load: MachineLoad) -> Context | None:
    try:
        context = Context(model, _with_size(options, model.info), load)
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
    n_ctx = default_n_ctx(info, options.n_parallel, kv_unified=options.kv_unified, memory_bytes=usable_memory())
    return replace(options, n_ctx=n_ctx)
