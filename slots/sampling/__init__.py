"""Sampling: from the logits of a step to one token per row. The way of a token:

    logits of a step, (rows, vocabulary)
      |--- llama.cpp's top-k is enough ---> candidate_sampler.py    step_sampler.py decides,
      `--- full rows ---------------------> row_sampler.py          once per request
             |
    mask, bias, penalties, DRY              samplers/{grammar_mask,logit_bias,penalties,dry}.py
             |
             |--- top-k, top-p, min-p, temperature (the default):
             |      several rows at once    fast_chain.py (BatchedFastChain) on a candidate_table.py
             |      one row                 fast_chain.py (sample_row)
             `--- any other chain           samplers/{truncation,temperature,mirostat,...}.py in order
             |
    draw or argmax                          fast_chain.py; logits/{draw,candidates}.py
             |                              rejection.py if the token was drafted, proposals.py drew it
             |
    accept                                  sampler.py: penalties, DRY and the grammar see the token

chain.py builds the samplers of a request, sampler.py holds them with their state.
"""

from slots.sampling.candidate_sampler import CandidateSampler
from slots.sampling.logits.top_k import IS_COMPILED
from slots.sampling.proposals import ProposalSampler
from slots.sampling.row_sampler import Result, RowSampler
from slots.sampling.sampler import SampledToken, Sampler
from slots.sampling.sampler_context import SamplerContext

__all__ = [
    "IS_COMPILED",
    "CandidateSampler",
    "ProposalSampler",
    "Result",
    "RowSampler",
    "SampledToken",
    "Sampler",
    "SamplerContext",
]
