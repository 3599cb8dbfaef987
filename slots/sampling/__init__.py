"""Sampling: from the logits of a step to one token per row. The way of a token:

logits of a step, shape (rows, vocabulary)              step_sampler.py chooses between:
  |
  |-- only the k largest are handed out, on a GPU ----> candidate_sampler.py
  `-- full rows --------------------------------------> row_sampler.py
  v
grammar mask           samplers/grammar_mask.py         chain.py builds these per request,
bias, penalties, DRY   samplers/{logit_bias,            sampler.py holds them with their state
  |                      penalties,dry}.py
  |-- top-k, top-p, min-p, temperature (the default):
  |     several rows at once  fast_chain.py (BatchedFastChain) on candidate_table.py
  |     one row               fast_chain.py (sample_row)
  `-- any other chain         samplers/{truncation,temperature,...}.py, one after the other
  v
draw                   fast_chain.py, logits/draw.py; greedy: Candidates.argmax
accept                 Sampler.accept: penalties, DRY and the grammar take the token in
"""

from slots.sampling.candidate_sampler import CandidateSampler
from slots.sampling.logits.top_k import IS_COMPILED
from slots.sampling.row_sampler import Result, RowSampler
from slots.sampling.sampler import SampledToken, Sampler
from slots.sampling.sampler_context import SamplerContext

__all__ = ["IS_COMPILED", "CandidateSampler", "Result", "RowSampler", "SampledToken", "Sampler", "SamplerContext"]
