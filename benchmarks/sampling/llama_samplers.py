"""llama.cpp's own samplers, through the bindings."""

import ctypes
from collections.abc import Callable, Iterable
from typing import Self

import llama_cpp.llama_cpp as lib
import numpy as np
import numpy.typing as npt

from slots.llama import Logits, Model
from slots.requests.sampling_params import SamplerName, SamplingParams

Handle = ctypes.c_void_p

_TOKEN_DATA = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])
_N_MIROSTAT = 100


class LlamaCandidates:
    """The list of candidates that llama.cpp's samplers work on."""

    def __init__(self, size: int) -> None:
        self._data = np.zeros(size, _TOKEN_DATA)
        self._pointer = self._data.ctypes.data_as(ctypes.POINTER(lib.llama_token_data))
        self.struct = lib.llama_token_data_array()

    def fill(self, row: Logits) -> Self:
        """Replaces the list by all candidates of a row of logits."""
        self._data["id"] = np.arange(row.size)
        self._data["logit"] = row
        self.struct = lib.llama_token_data_array(self._pointer, row.size, -1, False)
        return self

    @property
    def tokens(self) -> npt.NDArray[np.int32]:
        """Of the remaining candidates, shape (candidates,)."""
        return self._remaining["id"]

    @property
    def logits(self) -> Logits:
        """Of the remaining candidates, shape (candidates,)."""
        return self._remaining["logit"]

    @property
    def selected(self) -> int | None:
        """The token that the last sampler has chosen; None if it chooses none."""
        return int(self.tokens[self.struct.selected]) if self.struct.selected >= 0 else None

    @property
    def _remaining(self) -> npt.NDArray[np.void]:
        # XTC moves the pointer.
        start = (ctypes.addressof(self.struct.data[0]) - self._data.ctypes.data) // self._data.itemsize
        return self._data[start : start + self.struct.size]


class LlamaSampler:
    """One of llama.cpp's samplers, or a chain of them."""

    def __init__(self, handle: Handle) -> None:
        self.handle = handle

    @classmethod
    def chain(cls, handles: Iterable[Handle]) -> Self:
        """Returns a chain that applies several samplers one after the other."""
        chain = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())
        for handle in handles:
            lib.llama_sampler_chain_add(chain, handle)
        return cls(chain)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        lib.llama_sampler_free(self.handle)

    def accept(self, token: int) -> None:
        """Appends a token to the text that the sampler has seen."""
        lib.llama_sampler_accept(self.handle, token)

    def apply(self, candidates: LlamaCandidates) -> None:
        """Changes the candidates."""
        lib.llama_sampler_apply(self.handle, ctypes.byref(candidates.struct))


def llama_dry(params: SamplingParams, model: Model) -> Handle:
    """Returns the handle of DRY, with sequence breakers in tokens of the model."""
    breakers = [breaker.encode() for breaker in params.dry_sequence_breakers]
    handle: Handle = lib.llama_sampler_init_dry(
        lib.llama_model_get_vocab(model.weights.handle),
        params.dry_multiplier,
        params.dry_base,
        params.dry_allowed_length,
        params.dry_penalty_last_n,
        (ctypes.c_char_p * len(breakers))(*breakers),
        len(breakers),
    )
    return handle


def llama_handles(params: SamplingParams, n_vocab: int, seed: int, model: Model) -> list[Handle]:
    """Returns the handles of all samplers that llama.cpp's server would make, in order, without the one that draws.

    llama.cpp has no tail free sampling any more.
    """
    if params.mirostat:
        tau, eta = params.mirostat_tau, params.mirostat_eta
        mirostat = (
            lib.llama_sampler_init_mirostat(n_vocab, seed, tau, eta, _N_MIROSTAT)
            if params.mirostat == 1
            else lib.llama_sampler_init_mirostat_v2(seed, tau, eta)
        )
        return [lib.llama_sampler_init_temp(params.temperature), mirostat]
    min_keep = params.min_keep
    makers: dict[SamplerName, Callable[[], Handle]] = {
        SamplerName.PENALTIES: lambda: lib.llama_sampler_init_penalties(
            n_vocab, params.repeat_last_n, params.repeat_penalty, params.frequency_penalty, params.presence_penalty
        ),
        SamplerName.DRY: lambda: llama_dry(params, model),
        SamplerName.TOP_N_SIGMA: lambda: lib.llama_sampler_init_top_n_sigma(params.top_n_sigma),
        SamplerName.TOP_K: lambda: lib.llama_sampler_init_top_k(params.top_k),
        SamplerName.TYP_P: lambda: lib.llama_sampler_init_typical(params.typical_p, min_keep),
        SamplerName.TOP_P: lambda: lib.llama_sampler_init_top_p(params.top_p, min_keep),
        SamplerName.MIN_P: lambda: lib.llama_sampler_init_min_p(params.min_p, min_keep),
        SamplerName.XTC: lambda: lib.llama_sampler_init_xtc(
            params.xtc_probability, params.xtc_threshold, min_keep, seed
        ),
        SamplerName.TEMPERATURE: lambda: lib.llama_sampler_init_temp_ext(
            params.temperature, params.dynatemp_range, params.dynatemp_exponent
        ),
    }
    return [makers[name]() for name in params.samplers if name in makers]
