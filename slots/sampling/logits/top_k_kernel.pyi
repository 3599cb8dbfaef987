"""Types of top_k_kernel.pyx."""

from slots.llama import Logits
from slots.sampling.logits.workspace import Floats32, Indices

def top_k_rows(
    logits: Logits, rows: Indices, ks: Indices, tokens: Indices, largest: Floats32, n_threads: int
) -> bool: ...
