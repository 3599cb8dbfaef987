"""Types of vocab_kernel.pyx."""

import numpy as np
import numpy.typing as npt

def read_flags(function: int, vocab: int, flags: npt.NDArray[np.uint8]) -> None: ...
def read_pieces(function: int, vocab: int, data: npt.NDArray[np.uint8], ends: npt.NDArray[np.uint32]) -> bool: ...
