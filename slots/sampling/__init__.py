"""Sampling: from the logits of a step to one token per row. The way of a token:

    logits of a step, (rows, vocabulary)
      |--- llama.cpp's top-k is enough ---> candidate_sampler.py    step_sampler.py decides,
      `--- full rows ---------------------> row_sampler.py          once per request
             |
             |--- bias, penalties, mask, top-k, top-p, min-p, temperature and draw, or argmax (the default):
             |      all rows at once        fused_chain.py, logits/sampling_kernel.pyx
             `--- any other chain           samplers/{grammar_mask,logit_bias,penalties,dry}.py, then
             |                              samplers/{truncation,temperature,mirostat,...}.py in order,
             |                              logits/{draw,candidates}.py, or rejection.py if a token was drafted:
             |                              proposals.py drew it
             |
    accept                                  sampler.py: penalties, DRY and the grammar see the token

matching/ says which tokens a grammar, or a budget for thoughts, allows. chain.py builds the samplers of a request,
sampler.py holds them with their state.
"""

from slots.sampling.candidate_sampler import CandidateSampler
from slots.sampling.logits.kernels import IS_COMPILED
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
