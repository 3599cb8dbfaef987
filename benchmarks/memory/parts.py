"""The large parts of a server, made one after the other."""

import io
import logging
from pathlib import Path

from benchmarks.harness.prompts import TEXT
from benchmarks.memory.llama_buffers import LlamaBuffers
from benchmarks.memory.process import StageRecorder
from grammar.source import GrammarSource
from slots.engine.grammars import Grammars
from slots.llama import Batch, Context, Model
from slots.options import ContextOptions, ModelOptions
from slots.requests.sampling_params import SamplingParams
from slots.sampling import SamplerContext


def load_components(stages: StageRecorder, path: Path, n_slots: int, n_ctx: int) -> None:
    """Makes them for a model and slots of `n_ctx` tokens, and records what each adds."""
    log = _llama_log()
    model = Model(ModelOptions(path), lambda _share: None)
    stages.record("llama.cpp's vocabulary", _buffers(log).copied_weights)
    context = Context(model, ContextOptions(n_ctx=n_ctx * n_slots, n_parallel=n_slots))
    stages.record("llama.cpp's context")  # without the KV cache, which is not resident yet
    vocab = model.vocab
    Grammars(vocab).compile(GrammarSource("regex", "a"))
    stages.record("llguidance's tables")
    SamplerContext.for_model(vocab, n_ctx).find_sequence_breakers(SamplingParams().dry_sequence_breakers)
    stages.record("sequence breakers of DRY")
    _compute(context, vocab.tokenize(TEXT, add_special=False, parse_special=False), n_slots)
    stages.record("a full batch computed")


def _compute(context: Context, tokens: list[int], n_slots: int) -> None:
    """Computes as many tokens as a batch takes, with a row of logits for each slot."""
    batch = Batch(context.n_batch)
    n_each = min(context.n_batch // n_slots, context.n_ctx_seq, len(tokens))
    for sequence in range(n_slots):
        batch.add(sequence, 0, tokens[:n_each], last_logits=True)
    context.decode(batch)


def _llama_log() -> io.StringIO:
    """Returns the stream that llama.cpp's log is written to from now on."""
    log = io.StringIO()
    logger = logging.getLogger("llama.cpp")
    logger.setLevel(logging.DEBUG)
    logger.addHandler(logging.StreamHandler(log))
    return log


def _buffers(log: io.StringIO) -> LlamaBuffers:
    buffers = LlamaBuffers.from_log(log.getvalue())
    assert buffers, "llama.cpp's log reports its buffers"
    return buffers
