"""llama.cpp runner: completes prompts and scores texts for the evaluation."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import llama_cpp
import numpy as np
from numpy.typing import NDArray

CONTEXT_LENGTH = 2048


@dataclass(frozen=True)
class Sampling:
    name: str
    temperature: float
    repeat_penalty: float


GREEDY = Sampling("greedy", temperature=0.0, repeat_penalty=1.0)
SERVER_DEFAULTS = Sampling("server defaults", temperature=0.8, repeat_penalty=1.1)


class Runner:
    """A GGUF model in llama.cpp. Special tokens in texts are parsed."""

    def __init__(self, path: Path, threads: int) -> None:
        self._llama = llama_cpp.Llama(
            str(path), n_ctx=CONTEXT_LENGTH, n_threads=threads, logits_all=True, verbose=False, seed=1
        )

    def tokenize(self, text: str) -> list[int]:
        tokens: list[int] = self._llama.tokenize(text.encode(), add_bos=False, special=True)
        return tokens

    def complete(self, prompt: str, sampling: Sampling, max_tokens: int) -> str:
        """The completion of a prompt, up to an end-of-generation token."""
        completion = self._llama.create_completion(
            self.tokenize(prompt),
            max_tokens=max_tokens,
            temperature=sampling.temperature,
            repeat_penalty=sampling.repeat_penalty,
            top_k=40,
            top_p=0.95,
            min_p=0.05,
        )
        return str(cast("dict[str, Any]", completion)["choices"][0]["text"])

    def losses(self, tokens: list[int]) -> NDArray[np.float64]:
        """The loss of each token after the first, in nats, (len(tokens) - 1,) float64."""
        self._llama.reset()  # type: ignore[no-untyped-call]
        self._llama.eval(tokens)
        logits = self._llama.scores[: len(tokens) - 1].astype(np.float64)
        max_logits = logits.max(axis=1)
        log_sums = max_logits + np.log(np.exp(logits - max_logits[:, None]).sum(axis=1))
        predicted = logits[np.arange(len(tokens) - 1), tokens[1:]]
        return np.asarray(log_sums - predicted)
