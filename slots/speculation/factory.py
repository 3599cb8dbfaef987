"""Drafter factory: creates the drafter that the options request."""

import logging

from slots.errors import ModelLoadError
from slots.llama import Context, Model, Vocab
from slots.options import ContextOptions, ModelOptions, SpeculationOptions
from slots.speculation.draft_model import DraftModel, MakeTokenDrawer
from slots.speculation.drafter import ChainedDrafter, Drafter
from slots.speculation.ngram import NgramDrafter
from slots.threads import MachineLoad

_log = logging.getLogger("slots")

_MAX_SIZE_DIFFERENCE = 128
"""In tokens: the vocabularies of some models are padded."""

_FIRST_COMPARED_TOKEN = 5
"""The tokens before are special, and their names differ between models."""


def check_same_vocabulary(vocab: Vocab, draft: Vocab) -> None:
    """Raises ModelLoadError, by llama.cpp's rules, if tokens do not mean the same to both models."""
    reason = _difference(vocab, draft)
    if reason:
        raise ModelLoadError(f"the draft model cannot guess for this model: {reason}")


def _difference(vocab: Vocab, draft: Vocab) -> str | None:
    if vocab.kind != draft.kind:
        return f"its vocabulary is of the kind {draft.kind}, expected {vocab.kind}"
    if vocab.add_bos != draft.add_bos or (vocab.add_bos and vocab.bos != draft.bos):
        return "its texts begin with another token"
    if vocab.add_eos != draft.add_eos or (vocab.add_eos and vocab.eos != draft.eos):
        return "its texts end with another token"
    if abs(vocab.n_tokens - draft.n_tokens) > _MAX_SIZE_DIFFERENCE:
        return f"it has {draft.n_tokens} tokens, expected about {vocab.n_tokens}"
    for token in range(_FIRST_COMPARED_TOKEN, min(vocab.n_tokens, draft.n_tokens)):
        if vocab.token_name(token) != draft.token_name(token):
            return f"token {token} is {draft.token_name(token)!r} to it, expected {vocab.token_name(token)!r}"
    return None


def make_drafter(
    model: Model,
    context: Context,
    layout: ContextOptions,
    options: SpeculationOptions,
    make_drawer: MakeTokenDrawer,
    *,
    load: MachineLoad,
) -> Drafter | None:
    """Returns the drafter for a context that was made with the options `layout`; None if the options ask for none, or
    the context cannot discard rejected tokens. `load` is what the context and the draft model's share about their
    threads. Raises ModelLoadError for a draft model that does not fit."""
    if not options.spec_types:
        return None
    if not context.can_roll_back:
        _log.warning("this model's memory cannot take back a wrong guess: no tokens are guessed ahead")
        return None
    drafters: list[Drafter] = []
    for spec_type in options.spec_types:
        if spec_type == "ngram":
            drafters.append(NgramDrafter(context.n_sequences, options.ngram_size, options.ngram_draft))
        else:
            draft_context, n_vocab = _draft_context(model, context, layout, options, load)
            drafters.append(DraftModel(draft_context, n_vocab, options, make_drawer(n_vocab)))
    return drafters[0] if len(drafters) == 1 else ChainedDrafter(drafters)


def _draft_context(
    model: Model, context: Context, layout: ContextOptions, options: SpeculationOptions, load: MachineLoad
) -> tuple[Context, int]:
    """Returns a context of the draft model, and the number of tokens that both models have."""
    if options.draft_file is None:
        raise ModelLoadError("draft-simple is asked for without a draft model")
    file, placement = options.draft_file, options.draft_placement
    draft = Model(ModelOptions(file, options.draft_gpu_layers, placement=placement), lambda _share: None)
    check_same_vocabulary(model.vocab, draft.vocab)
    draft_context = Context(
        draft,
        ContextOptions(
            n_ctx=context.n_ctx,
            n_batch=layout.n_batch,
            n_ubatch=layout.n_ubatch,
            n_parallel=layout.n_parallel,
            n_outputs=layout.n_parallel,
            kv_unified=layout.kv_unified,
            n_threads=layout.n_threads if options.draft_threads is None else options.draft_threads,
            flash_attention=layout.flash_attention,
            kv_offload=layout.kv_offload,
            op_offload=layout.op_offload,
            cache_type_k=options.draft_cache_type_k,
            cache_type_v=options.draft_cache_type_v,
        ),
        load,
    )
    if not draft_context.can_roll_back:
        raise ModelLoadError("the draft model's memory cannot take back a wrong guess")
    return draft_context, min(model.vocab.n_tokens, draft.vocab.n_tokens)
