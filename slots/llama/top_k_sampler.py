"""llama.cpp's own top-k, which it computes where it computes the logits: on the GPU, if that is where the output is.

Of a sequence that has one, a decode hands out the largest logits only; the row of all of them stays where it is, unless
an output of a sequence without one was computed together with it. A sequence with a top-k may have no more than one
output in a batch.
"""

import ctypes
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import llama_cpp.llama_cpp as lib
import numpy as np
import numpy.typing as npt

from slots.errors import EngineError
from slots.llama.log import forget_errors, last_error
from slots.llama.model import Model

TOP_K = 256
"""Logits of an output that are handed out. A usual request needs 105: the 40 largest after up to 64 tokens were
penalized; with DRY, which penalizes up to 64 more, 169. On a CPU, 256 take no longer than 128."""

Indices = npt.NDArray[np.intp]

_log = logging.getLogger("slots")


@dataclass(frozen=True, slots=True)
class TopTokens:
    """The tokens with the largest logits of some outputs of a batch, in any order. Where not all of the tokens with
    the smallest of these logits are among them, llama.cpp does not say which ones are."""

    outputs: Indices
    """Which of the outputs, ascending; shape (outputs,)."""
    tokens: npt.NDArray[np.int32]
    """Shape (outputs, TOP_K)."""
    logits: npt.NDArray[np.float32]
    """Of the same shape."""

    def select(self, outputs: Sequence[int]) -> "TopTokens":
        """Those of some of the outputs, by their places, ascending."""
        if len(outputs) == self.outputs.size:
            return self
        rows = self.outputs.searchsorted(outputs)
        return TopTokens(self.outputs[rows], self.tokens[rows], self.logits[rows])


class BackendTopK:
    """The top-k of each sequence that has one."""

    def __init__(self, n_sequences: int) -> None:
        self._chains = {sequence: _make_chain() for sequence in range(n_sequences)}
        self._attached = np.ones(n_sequences, np.bool_)

    def install(self, params: lib.llama_context_params) -> Any:  # noqa: ANN401 - an array of ctypes
        """Let a context be made with a top-k for each sequence. Returns what has to stay until it is made."""
        configs = (lib.llama_sampler_seq_config * len(self._chains))()
        for sequence, chain in self._chains.items():
            configs[sequence] = lib.llama_sampler_seq_config(sequence, ctypes.cast(chain, ctypes.c_void_p))
        params.samplers, params.n_samplers = configs, len(configs)
        return configs

    @property
    def is_computed(self) -> bool:
        """Whether llama.cpp does so in the context that was made. It does not where the GPU lacks the operation, or
        holds a part of each tensor; the row is then handed out as a candidate of its own, which is of no use."""
        return all(lib.llama_sampler_name(lib.llama_sampler_chain_get(c, 0))[:1] == b"+" for c in self._chains.values())

    def is_attached(self, sequence: int) -> bool:
        """Whether a sequence has one."""
        return bool(self._attached[sequence])

    def attach(self, handle: "lib.llama_context_p", sequence: int) -> None:
        """Let a sequence that has none have one. The next decode reserves its graphs anew, for some milliseconds."""
        chain = _make_chain()  # each time: llama.cpp ends the process where one is set a second time
        if lib.llama_set_sampler(handle, sequence, chain):
            self._chains[sequence] = chain
            self._attached[sequence] = True
        else:
            lib.llama_sampler_free(chain)

    def detach(self, handle: "lib.llama_context_p", sequence: int) -> None:
        """Let a sequence that has one have none, which takes as long."""
        lib.llama_set_sampler(handle, sequence, None)
        self._attached[sequence] = False
        lib.llama_sampler_free(self._chains.pop(sequence))

    def output_indices(self, sequences: npt.NDArray[np.int32]) -> Indices:
        """Which outputs of a batch, given by their sequences, have one. Raises ValueError where a sequence that has
        one has several outputs, of which llama.cpp would compute none."""
        outputs: Indices = self._attached[sequences].nonzero()[0]
        if outputs.size and np.bincount(sequences[outputs]).max() > 1:
            raise ValueError("a sequence with a top-k has more than one output in a batch")
        return outputs

    def read(self, handle: "lib.llama_context_p", outputs: Indices, n_outputs: int, n_vocab: int) -> TopTokens:
        """What the last decode, of `n_outputs`, found for the outputs at `places`, of which there is at least one."""
        first = int(outputs[0])
        index = first - n_outputs  # negative numbers are of outputs, others of tokens in the batch
        if lib.llama_get_sampled_candidates_count_ith(handle, index) != TOP_K:
            raise EngineError("llama.cpp did not compute the largest logits")
        shape = (n_outputs - first, n_vocab)
        tokens = np.ctypeslib.as_array(lib.llama_get_sampled_candidates_ith(handle, index), shape)
        logits = np.ctypeslib.as_array(lib.llama_get_sampled_logits_ith(handle, index), shape)
        rows = outputs - first
        return TopTokens(outputs, tokens[rows, :TOP_K], logits[rows, :TOP_K])

    def free(self) -> None:
        """Free all of them; the context that they were set in has to be gone."""
        for chain in self._chains.values():
            lib.llama_sampler_free(chain)
        self._chains.clear()


def init_with_top_k(model: Model, params: lib.llama_context_params) -> "tuple[lib.llama_context_p, BackendTopK | None]":
    """A context in which all sequences have a top-k, which is then part of the graphs that are reserved first; without
    any where llama.cpp cannot do that, of which the log tells."""
    top_k = BackendTopK(params.n_seq_max)
    configs = top_k.install(params)
    forget_errors()
    handle = lib.llama_init_from_model(model.weights.handle, params)
    del configs
    if handle and top_k.is_computed:
        return handle, top_k
    reason = "the device cannot do it" if handle else last_error()
    if handle:
        lib.llama_free(handle)
    top_k.free()
    params.samplers, params.n_samplers = None, 0
    forget_errors()
    handle = lib.llama_init_from_model(model.weights.handle, params)
    if handle:
        _log.warning("Backend sampling is off: %s", reason)
    return handle, None


def _make_chain() -> "lib.llama_sampler_p":
    chain: lib.llama_sampler_p = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())
    lib.llama_sampler_chain_add(chain, lib.llama_sampler_init_top_k(TOP_K))
    return chain
