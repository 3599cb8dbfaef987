"""Backend top-k: llama.cpp's own top-k sampler, which runs where the logits are computed, such as on the GPU.

A decode copies only the largest logits of a sequence with a top-k to the host, unless an output of a sequence without
one is computed together with it. A sequence with a top-k may have only one output in a batch.
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
from slots.llama.log import forget_errors, last_error, restart_recording
from slots.llama.model import Model

TOP_K = 256
"""Logits of an output. A default request needs 105: top-k 40 after up to 64 tokens were penalized; with DRY, which
penalizes up to 64 more, 169. On a CPU, 256 take no longer than 128."""

Indices = npt.NDArray[np.intp]

_log = logging.getLogger("slots")


@dataclass(frozen=True, slots=True)
class TopTokens:
    """The largest logits of some outputs of a batch, in any order. Which of several equal smallest logits are included
    is undefined."""

    outputs: Indices
    """Indices of the outputs, ascending; shape (outputs,)."""
    tokens: npt.NDArray[np.int32]
    logits: npt.NDArray[np.float32]
    """Shape (outputs, TOP_K), as that of `tokens`."""

    def select(self, outputs: Sequence[int]) -> "TopTokens":
        """Returns those of the outputs with these indices, ascending."""
        if len(outputs) == self.outputs.size:
            return self
        rows = self.outputs.searchsorted(outputs)
        return TopTokens(self.outputs[rows], self.tokens[rows], self.logits[rows])


class BackendTopK:
    """The top-k samplers that are attached to sequences."""

    def __init__(self, n_sequences: int) -> None:
        self._chains = {sequence: _make_chain() for sequence in range(n_sequences)}
        self._attached = np.ones(n_sequences, np.bool_)

    def install(self, params: lib.llama_context_params) -> Any:  # noqa: ANN401 - an array of ctypes
        """Set a top-k for each sequence in the parameters of a context. The result has to live until that is made."""
        configs = (lib.llama_sampler_seq_config * len(self._chains))()
        for sequence, chain in self._chains.items():
            configs[sequence] = lib.llama_sampler_seq_config(sequence, ctypes.cast(chain, ctypes.c_void_p))
        params.samplers, params.n_samplers = configs, len(configs)
        return configs

    @property
    def is_computed(self) -> bool:
        """Whether llama.cpp runs the samplers in the context that was made. It does not if the GPU lacks the operation
        or holds only a part of each tensor; its results would then be undefined."""
        return all(lib.llama_sampler_name(lib.llama_sampler_chain_get(c, 0))[:1] == b"+" for c in self._chains.values())

    def is_attached(self, sequence: int) -> bool:
        return bool(self._attached[sequence])

    def attach(self, handle: "lib.llama_context_p", sequence: int) -> None:
        """Attach a top-k to a sequence without one. The next decode reserves its graphs again, in some milliseconds."""
        chain = _make_chain()  # a new one: llama.cpp ends the process if one is set a second time
        if lib.llama_set_sampler(handle, sequence, chain):
            self._chains[sequence] = chain
            self._attached[sequence] = True
        else:
            lib.llama_sampler_free(chain)

    def detach(self, handle: "lib.llama_context_p", sequence: int) -> None:
        """Detach the top-k of a sequence that has one, which takes as long."""
        lib.llama_set_sampler(handle, sequence, None)
        self._attached[sequence] = False
        lib.llama_sampler_free(self._chains.pop(sequence))

    def output_indices(self, sequences: npt.NDArray[np.int32]) -> Indices:
        """Returns which outputs of a batch, given by their sequences, have a top-k. Raises ValueError if a sequence
        with a top-k has several outputs: llama.cpp would compute none of them."""
        outputs: Indices = self._attached[sequences].nonzero()[0]
        if outputs.size and np.bincount(sequences[outputs]).max() > 1:
            raise ValueError("a sequence with a top-k has more than one output in a batch")
        return outputs

    def read(self, handle: "lib.llama_context_p", outputs: Indices, n_outputs: int, n_vocab: int) -> TopTokens:
        """Returns the largest logits of at least one of the `n_outputs` outputs of the last decode."""
        first = int(outputs[0])
        index = first - n_outputs  # negative indices count outputs, others tokens of the batch
        if lib.llama_get_sampled_candidates_count_ith(handle, index) != TOP_K:
            raise EngineError("llama.cpp did not compute the largest logits")
        shape = (n_outputs - first, n_vocab)
        tokens = np.ctypeslib.as_array(lib.llama_get_sampled_candidates_ith(handle, index), shape)
        logits = np.ctypeslib.as_array(lib.llama_get_sampled_logits_ith(handle, index), shape)
        rows = outputs - first
        return TopTokens(outputs, tokens[rows, :TOP_K], logits[rows, :TOP_K])

    def free(self) -> None:
        """Free all samplers. Their context has to be freed before."""
        for chain in self._chains.values():
            lib.llama_sampler_free(chain)
        self._chains.clear()


def init_with_top_k(model: Model, params: lib.llama_context_params) -> "tuple[lib.llama_context_p, BackendTopK | None]":
    """Make a context whose sequences all have a top-k, so that the first graphs include it; without any, and with a
    line in the log, if llama.cpp cannot compute it."""
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
    restart_recording()
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
