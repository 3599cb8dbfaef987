"""The least that generating tokens can cost: llama_decode and numpy's argmax in a loop, with nothing around it."""

import time
from pathlib import Path

from slots.llama import Batch, Context, Model
from slots.options import ContextOptions, ModelOptions


class BareLoop:
    """Generates greedily for a fixed number of sequences at once."""

    def __init__(self, path: Path, n_sequences: int, prompt: str) -> None:
        self._model = Model(ModelOptions(path), lambda _share: None)
        n_ctx = self._model.info.n_ctx_train * n_sequences
        self._context = Context(self._model, ContextOptions(n_ctx=n_ctx, n_parallel=n_sequences))
        self._n_sequences = n_sequences
        self._prompt = self._model.vocab.tokenize(prompt, add_special=True, parse_special=True)

    def tokens_per_second(self, n_predict: int) -> float:
        """Returns the tokens of all sequences by the seconds for them, prompts included."""
        batch = Batch(self._context.n_batch)
        started = time.perf_counter()
        for sequence in range(self._n_sequences):
            self._context.clear_sequence(sequence)
            batch.add(sequence, 0, self._prompt, last_logits=True)
        for step in range(n_predict):
            logits = self._context.decode(batch)
            batch.clear()
            for sequence, token in enumerate(logits.argmax(axis=1).tolist()):
                batch.add(sequence, len(self._prompt) + step, [token], last_logits=True)
        return self._n_sequences * n_predict / (time.perf_counter() - started)

    def close(self) -> None:
        """Frees the KV cache."""
        self._context.close()
