"""Types of top_k_kernel.pyx."""

from slots.sampling.logits.workspace import Floats32, Indices

def top_k(row: Floats32, tokens: Indices) -> int: ...
