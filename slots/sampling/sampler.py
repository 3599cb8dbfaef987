"""Sampler: turns a row of logits into a token, with the options and state of one request."""

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import numpy as np

from grammar.matcher import MAX_FORCED_TOKENS
from slots.llama import Logits
from slots.requests.draft import Proposal
from slots.requests.events import PositionLogprobs, TokenLogprob
from slots.requests.sampling_params import RANDOM_SEED, SamplingParams
from slots.sampling.chain import Chain, FusedParams, build_chain
from slots.sampling.fused_chain import FusedChain
from slots.sampling.logits import kernels
from slots.sampling.logits.candidates import Candidates, check_max_logit
from slots.sampling.logits.draw import draw
from slots.sampling.logits.random_numbers import RandomNumbers
from slots.sampling.logits.workspace import Workspace
from slots.sampling.logprobs import ModelLogprobs, sampled_logprobs
from slots.sampling.matching.token_matcher import TokenMatcher
from slots.sampling.rejection import ProposedToken, accept_or_redraw
from slots.sampling.sampler_context import LogitsProcessor, SamplerContext, SamplerInputs
from slots.sampling.samplers.grammar_mask import GrammarMask, as_invalid_request


def no_float_warnings() -> np.errstate:
    """Turn numpy's warnings off: a logit too far below the largest one to be represented does not matter."""
    return np.errstate(all="ignore")


@dataclass(frozen=True, slots=True)
class SamplerTraits:
    """Properties of a sampler that decide how its row is computed."""

    mask: GrammarMask | None  # applied first
    fused_params: FusedParams | None  # all that follows mask and edits, if the kernel can do it
    needs_softmax: bool  # computes the probabilities of all tokens
    n_top_logits_needed: int | None  # see the function of this name


def build_traits(chain: Chain, params: SamplingParams) -> SamplerTraits:
    needs_model_logprobs = params.n_probs > 0 and not params.post_sampling_probs
    return SamplerTraits(
        mask=chain.mask,
        fused_params=None if params.n_probs else chain.fused_params,
        needs_softmax=chain.needs_softmax or needs_model_logprobs,
        n_top_logits_needed=None if needs_model_logprobs else n_top_logits_needed(chain),
    )


def n_top_logits_needed(chain: Chain) -> int | None:
    """How many of the largest logits the chain needs to give the same result as with the full row; None if it always
    needs the full row.

    A number is enough if the chain begins with a top-k or takes the most likely token, and its edits only lower logits:
    if n are lowered, the k largest afterwards are among the k + n largest before. One more shows whether other logits
    may equal the last of them.
    """
    if chain.n_top_logits is None or chain.mask is not None:
        return None
    n = chain.n_top_logits + 1
    for edit in chain.edits:
        # Edits that never raise a logit have this attribute.
        lowered: int | None = getattr(edit, "max_lowered", None)
        if lowered is None:
            return None
        n += lowered
    return n


@dataclass(slots=True)
class SampledToken:
    token: int
    logprobs: PositionLogprobs | None


class Sampler:
    """The samplers of one request, with their state and random generator."""

    def __init__(
        self,
        params: SamplingParams,
        prompt: Sequence[int],
        context: SamplerContext,
        matcher: TokenMatcher | None = None,
    ) -> None:
        self.seed = secrets.randbits(32) if params.seed == RANDOM_SEED else params.seed
        self._rng = RandomNumbers(self.seed % 2**64)
        self.next_uniform: Callable[[], float] = self._rng.random  # in [0, 1); drawing a token takes one
        self._matcher = matcher
        inputs = SamplerInputs(params, prompt, context, self._rng, matcher)
        self._chain = build_chain(inputs)
        self.traits = build_traits(self._chain, params)
        processors = tuple(dict.fromkeys(self._chain.stateful_processors))
        # By name: an isinstance check of a protocol takes as long as sampling a token.
        self._accepts: list[Callable[[int], None]] = _methods(processors, "accept")
        self._observes: list[Callable[[int, float], None]] = _methods(processors, "observe")
        self._banned = inputs.banned_tokens if matcher else frozenset()
        fused_params = self.traits.fused_params if kernels.IS_COMPILED else None
        self.fused = FusedChain(self._chain, fused_params, self._rng) if fused_params else None
        self._n_probs = params.n_probs
        self._needs_model_logprobs = params.n_probs > 0 and not params.post_sampling_probs
        self._proposed: ProposedToken | None = None

    @property
    def has_proposal(self) -> bool:
        """Whether the next token is accepted or rejected, which is done for its row alone."""
        return self._proposed is not None

    def propose(self, token: int, proposal: Proposal) -> None:
        """Let the next token be this one, which was drawn from `proposal`, as often as that leaves its distribution as
        it is; a sampler that takes the most likely token draws none, and takes no notice of it."""
        if not self._chain.is_greedy:
            self._proposed = ProposedToken(token, proposal)

    def sample(self, row: Logits, workspace: Workspace) -> SampledToken:
        """Sample from logits, float32 of shape (vocabulary,), which are changed. Raises InvalidRequest if the options
        leave no token."""
        return self.sample_from(Candidates(row, workspace))

    def sample_from(self, candidates: Candidates, *, is_edited: bool = False) -> SampledToken:
        """As `sample`, from a full row or at least `n_top_logits_needed` of its largest logits. `is_edited` if
        `edit_logits` was called before."""
        with no_float_warnings():
            model = ModelLogprobs(candidates, self._n_probs) if self._needs_model_logprobs else None
            index = self._sample_index(candidates, () if is_edited else self._chain.edits)
            token = self.accept(candidates.token(index))
            if model is not None:
                return SampledToken(token, model.for_token(token))
            return SampledToken(token, self._sampled_logprobs(candidates, index) if self._n_probs else None)

    def edit_logits(self, candidates: Candidates) -> None:
        for edit in self._chain.edits:
            edit(candidates)

    def accept(self, token: int) -> int:
        for accept in self._accepts:
            accept(token)
        return token

    @property
    def is_grammar_over(self) -> bool:
        """Whether the grammar allows nothing but the end. Raises InvalidRequest if a grammar hits its limits."""
        if self._matcher is None:
            return False
        with as_invalid_request():
            return self._matcher.is_over

    def accept_forced(self, min_tokens: int = 1, max_tokens: int = MAX_FORCED_TOKENS) -> list[int]:
        """Accept and return the tokens that the grammar forces next, at most `max_tokens`: exactly those that would be
        sampled. None of them if there are fewer than `min_tokens`, or if sampling has further effects (logprobs, a
        sampler's feedback). Raises InvalidRequest if a grammar hits its limits."""
        if self._matcher is None or self._n_probs or self._observes or max_tokens < min_tokens:
            return []
        with as_invalid_request():
            tokens = list(takewhile(lambda token: token not in self._banned, self._matcher.forced_tokens(max_tokens)))
        if len(tokens) < min_tokens:
            return []
        for token in tokens:
            if not self._chain.is_greedy:
                self.next_uniform()  # sampling would have used it up
            self.accept(token)
        return tokens

    def _sample_index(self, candidates: Candidates, edits: Sequence[LogitsProcessor]) -> int:
        if self._chain.mask is not None:
            self._chain.mask(candidates)
        for edit in edits:
            edit(candidates)
        for sampler in self._chain.samplers:
            sampler(candidates)
        return self._argmax(candidates) if self._chain.is_greedy else self._draw(candidates)

    def _argmax(self, candidates: Candidates) -> int:
        index = candidates.argmax()
        check_max_logit(candidates.logits[index])
        return index

    def _draw(self, candidates: Candidates) -> int:
        if self._proposed is None:
            index, probability = draw(candidates, self._rng)
        else:
            index, probability = accept_or_redraw(candidates, self._proposed, self._rng)
            self._proposed = None
        for observe in self._observes:
            observe(index, probability)
        return index

    def _sampled_logprobs(self, candidates: Candidates, index: int) -> PositionLogprobs:
        if self._chain.is_greedy:
            certain = TokenLogprob(candidates.token(index), 0.0)
            return PositionLogprobs(certain, (certain,))
        return sampled_logprobs(candidates, index, self._n_probs)


def _methods(processors: Iterable[LogitsProcessor], name: str) -> list[Any]:
    return [getattr(processor, name) for processor in processors if hasattr(processor, name)]
