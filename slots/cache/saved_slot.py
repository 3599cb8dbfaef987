"""What a slot holds, outside of the KV cache."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from slots.requests.scope import Scope


@dataclass(frozen=True, slots=True, eq=False)
class SavedSlot:
    """Enough to go on exactly where the slot was."""

    tokens: tuple[int, ...]
    n_exact: int
    """How many of them, from the first, have the keys and values that computing them anew would give."""
    scope: Scope
    snapshot: npt.NDArray[np.uint8]
    """The sequence's state in llama.cpp's own format."""
