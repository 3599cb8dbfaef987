"""What our program's memory is for: python -m benchmarks.memory.stages MODEL SLOTS TOKENS_OF_A_SLOT

Makes the large things that a server has one after the other, and prints as JSON how many bytes each has added to what
is resident, without the weights and the KV cache. What is given back to the allocator stays resident, so that a stage
counts what it needed in between, too.
"""

import argparse
import io
import json
import logging
import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from benchmarks.harness.prompts import TEXT
from benchmarks.memory.llama_buffers import LlamaBuffers
from benchmarks.memory.process import mapped_bytes, resident_bytes
from grammar.source import GrammarSource
from slots.engine.grammars import Grammars
from slots.llama import Batch, Context, Model
from slots.options import ContextOptions, ModelOptions
from slots.requests.sampling_params import SamplingParams
from slots.sampling import Surroundings


class Stages:
    """Takes down what is resident after each stage."""

    def __init__(self, model: Path) -> None:
        self._model = model
        self._before = 0
        self._found: dict[str, int] = {}

    def note(self, name: str, n_not_counted: int = 0) -> None:
        """Takes down what has been added since the last stage, but for so many bytes of it and pages of the model's
        file."""
        pid = os.getpid()
        now = resident_bytes(pid) - mapped_bytes(pid, self._model) - n_not_counted
        self._found[name] = now - self._before
        self._before = now + n_not_counted

    @property
    def found(self) -> Mapping[str, int]:
        """Bytes by stage, in order."""
        return self._found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("n_slots", type=int)
    parser.add_argument("n_ctx", type=int)
    arguments = parser.parse_args()
    stages = Stages(arguments.model)
    stages.note("Python")
    import_module("server.lifecycle.launch")
    stages.note("packages and llama.cpp's libraries")
    # Imported only now, for it imports some of the packages.
    import_module("benchmarks.memory.stages").make_parts(stages, arguments.model, arguments.n_slots, arguments.n_ctx)
    print(json.dumps(stages.found))


if __name__ == "__main__":
    main()


def make_parts(stages: Stages, path: Path, n_slots: int, n_ctx: int) -> None:
    """Makes them for a model and slots of `n_ctx` tokens, and takes down what each adds."""
    log = _llama_log()
    model = Model(ModelOptions(path), lambda _share: None)
    stages.note("llama.cpp's vocabulary", _buffers(log).copied_weights)
    context = Context(model, ContextOptions(n_ctx=n_ctx * n_slots, n_parallel=n_slots))
    stages.note("llama.cpp's context", _buffers(log).kv_cache)
    vocab = model.vocab
    texts = [vocab.text_of(token) for token in range(vocab.n_tokens)]
    stages.note(f"texts of {len(texts):,} tokens in Python")
    Grammars(vocab).compile(GrammarSource("regex", "a"))
    stages.note("llguidance's tables")
    Surroundings.of(vocab, n_ctx).find_breakers(SamplingParams().dry_sequence_breakers)
    stages.note("sequence breakers of DRY")
    _compute(context, vocab.tokenize(TEXT, add_special=False, parse_special=False), n_slots)
    stages.note("a full batch computed")


def _compute(context: Context, tokens: list[int], n_slots: int) -> None:
    """As many tokens as a batch takes, with a row of logits for each slot."""
    batch = Batch(context.n_batch)
    n_each = min(context.n_batch // n_slots, context.n_ctx_seq, len(tokens))
    for sequence in range(n_slots):
        batch.add(sequence, 0, tokens[:n_each], last_logits=True)
    context.decode(batch)


def _llama_log() -> io.StringIO:
    """Returns what llama.cpp's log is written to from now on."""
    log = io.StringIO()
    logger = logging.getLogger("llama.cpp")
    logger.setLevel(logging.DEBUG)
    logger.addHandler(logging.StreamHandler(log))
    return log


def _buffers(log: io.StringIO) -> LlamaBuffers:
    buffers = LlamaBuffers.of(log.getvalue())
    assert buffers, "llama.cpp's log tells of its buffers"
    return buffers
