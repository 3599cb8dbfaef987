"""The part of the samplers that is compiled: see the .pyx file of this name."""

from slots.llama import Logits
from slots.sampling.logits.workspace import Floats32, Indices

def top_k_rows(
    logits: Logits, rows: Indices, ks: Indices, tokens: Indices, largest: Floats32, n_threads: int
) -> bool: ...
