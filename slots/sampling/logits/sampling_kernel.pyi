"""Types of sampling_kernel.pyx."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from slots.llama import Logits
from slots.sampling.chain import FusedParams
from slots.sampling.samplers.grammar_mask import AllowedTokens
from slots.sampling.samplers.logit_bias import LogitBias
from slots.sampling.samplers.penalties import Penalties

MAX_TOP_K: int
NO_TOKEN_LEFT: int
NAN_LOGITS: int

class KernelChain:
    def __init__(
        self,
        params: FusedParams,
        bit_generator: np.random.BitGenerator,
        bias: LogitBias | None = None,
        penalties: Penalties | None = None,
    ) -> None: ...

class SamplingKernel:
    def sample(
        self,
        chains: list[KernelChain],
        logits: Logits,
        indices: Sequence[int],
        masks: list[AllowedTokens | None],
        n_threads: int,
        ids: npt.NDArray[np.int32] | None = None,
    ) -> list[int]: ...
