"""A llama.cpp context whose rows of logits are set by the benchmark, for llama.cpp's samplers."""

import tempfile
from pathlib import Path
from typing import Self

import llama_cpp.llama_cpp as lib
import numpy as np

from benchmarks.sampling.llama_samplers import LlamaSampler
from benchmarks.sampling.synthetic_model import write_model
from slots.llama import Batch, Context, Logits, Model
from slots.options import ContextOptions, ModelOptions


class LlamaRows:
    """The outputs of a step of a tiny model, which are then overwritten."""

    def __init__(self, n_vocab: int, n_rows: int) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.gguf"
            write_model(path, n_vocab)
            self._model = Model(ModelOptions(path, mmap=False), lambda _share: None)
        self._context = Context(self._model, ContextOptions(n_ctx=256 * n_rows, n_parallel=n_rows))
        self._batch = Batch(n_rows)
        for row in range(n_rows):
            self._batch.add(row, 0, [0], last_logits=True)
        self._n_rows = n_rows
        self._logits = self._context.decode(self._batch)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._context.close()

    def compute(self) -> None:
        """Computes the step again, with all of llama.cpp's threads."""
        for row in range(self._n_rows):
            self._context.clear_sequence(row)
        self._logits = self._context.decode(self._batch)

    def write(self, rows: Logits) -> Logits:
        """Sets the logits, float32 of shape (rows, vocabulary). Returns them in the context's memory."""
        np.copyto(self._logits, rows)
        return self._logits

    def sample(self, sampler: LlamaSampler, row: int) -> int:
        """Returns the token that a sampler of llama.cpp chooses for a row, and accepts."""
        return int(lib.llama_sampler_sample(sampler.handle, self._context.handle, row))
