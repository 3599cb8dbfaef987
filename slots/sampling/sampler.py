"""From a row of logits to a token."""

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import numpy as np

from grammar.matcher import MAX_FORCED_TOKENS, Matcher
from slots.llama import Logits
from slots.requests.events import PositionLogprobs, TokenLogprob
from slots.requests.sampling_params import SamplingParams
from slots.sampling.chain import Chain, build_chain
from slots.sampling.fast_chain import sample_row
from slots.sampling.logits.candidates import Candidates, check_max_logit
from slots.sampling.logits.draw import draw
from slots.sampling.logits.workspace import Workspace
from slots.sampling.logprobs import ModelLogprobs, sampled_logprobs
from slots.sampling.sampler_context import LogitsProcessor, SamplerContext, SamplerInputs
from slots.sampling.samplers.grammar_mask import as_invalid_request
from slots.sampling.samplers.penalties import Penalties
from slots.sampling.samplers.truncation import get_top_k


def n_top_logits_needed(chain: Chain) -> int | None:
    """A number of largest logits with which a chain chooses as it does with the whole row, whatever the row is; None
    where no number is enough.

    It is enough for a chain that begins with a top-k, or takes the most likely token, and before that only lowers
    logits: where so many are lowered, the k largest of all are among the k and so many that were largest before. One
    more tells whether there may be others that are as large as the last of them.
    """
    k = 1 if chain.is_greedy and not chain.samplers else get_top_k(chain.samplers[0]) if chain.samplers else None
    if k is None or chain.mask is not None:
        return None
    n = k + 1
    for edit in chain.edits:
        # Which an edit says that may not give a token a higher logit.
        lowered: int | None = getattr(edit, "max_lowered", None)
        if lowered is None:
            return None
        n += lowered
    return n


def no_float_warnings() -> np.errstate:
    """Numpy's warnings are off within: what is too far from the largest logit to be a number does not matter."""
    return np.errstate(all="ignore")


@dataclass(slots=True)
class SampledToken:
    """A chosen token, with probabilities where they were asked for."""

    token: int
    logprobs: PositionLogprobs | None


class Sampler:
    """The samplers of one request, with their state and their own random generator."""

    def __init__(
        self,
        params: SamplingParams,
        prompt: Sequence[int],
        context: SamplerContext,
        matcher: Matcher | None = None,
    ) -> None:
        """`matcher` is where the request is in its grammar, if it has one."""
        self.seed = params.seed if params.seed >= 0 else secrets.randbits(32)
        self._random = np.random.Generator(np.random.PCG64(self.seed))
        self.next_uniform: Callable[[], float] = self._random.random
        """Gives a random number from 0 to below 1, to draw a token with."""
        self._matcher = matcher
        ingredients = SamplerInputs(params, prompt, context, self._random, matcher)
        self._chain = chain = build_chain(ingredients)
        samplers = tuple(dict.fromkeys(chain.processors))
        # By their names: to ask for a protocol takes as long as to choose a token.
        self._accepts: list[Callable[[int], None]] = _methods(samplers, "accept")
        """Of samplers that look back on the text."""
        self._observes: list[Callable[[int, float], None]] = _methods(samplers, "observe")
        """Of one that learns from how likely the chosen tokens were, at the end of its chain."""
        self._ruled_out = ingredients.banned_tokens() if matcher else set()
        self._n_probs = params.n_probs
        self._of_model = params.n_probs > 0 and not params.post_sampling_probs
        self.mask = chain.mask
        """What a grammar takes away first."""
        self.fast_params = None if params.n_probs else chain.fast_params
        """What it does after mask and edits, if that can be done for many rows at once."""
        self.is_plain_argmax = chain.is_greedy and not (chain.samplers or chain.mask or params.n_probs)
        """Whether it takes the most likely token after its edits, and does nothing else."""
        self.n_top_logits_needed = None if self._of_model else n_top_logits_needed(chain)
        """A number of largest logits that it needs no others than to choose from; None if there is none."""
        self.needs_softmax = chain.needs_softmax or self._of_model
        """Whether it computes the probabilities of all tokens."""
        self.edits_logits = bool(chain.edits)
        """Whether it changes logits of a whole row before all else but the mask."""
        penalties = [edit for edit in chain.edits if isinstance(edit, Penalties)]
        self.penalties_only = penalties[0] if len(penalties) == len(chain.edits) == 1 else None
        """Its edits, if those are no more than the penalties."""

    def sample(self, row: Logits, workspace: Workspace, *, is_edited: bool = False) -> SampledToken:
        """The next token for a row of logits, float32 of shape (vocabulary,), some of which are changed on the way.

        Raises InvalidRequest when the options leave no token to choose from.
        """
        return self.sample_from(Candidates(row, workspace), is_edited=is_edited)

    def sample_from(self, candidates: Candidates, *, is_edited: bool = False) -> SampledToken:
        """As `choose`, of a whole row or of the largest logits of one, at least as many as decide."""
        with no_float_warnings():
            before = ModelLogprobs(candidates, self._n_probs) if self._of_model else None
            place = self._choose_place(candidates, () if is_edited else self._chain.edits)
            token = self.accept(candidates.token(place))
            if before is not None:
                return SampledToken(token, before.for_token(token))
            return SampledToken(token, self._remaining(candidates, place) if self._n_probs else None)

    def edit_logits(self, candidates: Candidates) -> None:
        """The part of a choice that only changes some logits of a whole row."""
        for step in self._chain.edits:
            step(candidates)

    def accept(self, token: int) -> int:
        """Take in a token that was chosen, and return it."""
        for accept in self._accepts:
            accept(token)
        return token

    @property
    def is_grammar_over(self) -> bool:
        """Whether a grammar leaves nothing but the end. Raises InvalidRequest where a grammar hits its limits."""
        if self._matcher is None:
            return False
        with as_invalid_request():
            return self._matcher.is_over

    def accept_forced(self, min_tokens: int = 1, max_tokens: int = MAX_FORCED_TOKENS) -> list[int]:
        """Take in the tokens that a grammar leaves no choice about, and return them: just those that would be chosen
        one after the other, at most `most`. None if there are fewer than `least`, or where choosing has other effects
        than the choice. Raises InvalidRequest as above."""
        if self._matcher is None or self._n_probs or self._observes or max_tokens < min_tokens:
            return []
        with as_invalid_request():
            tokens = list(
                takewhile(lambda token: token not in self._ruled_out, self._matcher.forced_tokens(max_tokens))
            )
        if len(tokens) < min_tokens:
            return []
        for token in tokens:
            if not self._chain.is_greedy:
                self.next_uniform()  # which the choice would have taken
            self.accept(token)
        return tokens

    def _choose_place(self, candidates: Candidates, edits: Sequence[LogitsProcessor]) -> int:
        if self._chain.mask is not None:
            self._chain.mask(candidates)
        for step in edits:
            step(candidates)
        if self.fast_params is not None:
            place = sample_row(candidates, self.fast_params, self._random)
            if place is not None:
                return place
        for step in self._chain.samplers:
            step(candidates)
        return self._take_best(candidates) if self._chain.is_greedy else self._draw(candidates)

    def _take_best(self, candidates: Candidates) -> int:
        place = candidates.argmax()
        check_max_logit(candidates.logits[place])
        return place

    def _draw(self, candidates: Candidates) -> int:
        place, probability = draw(candidates, self._random)
        for observe in self._observes:
            observe(place, probability)
        return place

    def _remaining(self, candidates: Candidates, place: int) -> PositionLogprobs:
        if self._chain.is_greedy:
            certain = TokenLogprob(candidates.token(place), 0.0)
            return PositionLogprobs(certain, (certain,))
        return sampled_logprobs(candidates, place, self._n_probs)


def _methods(samplers: Iterable[LogitsProcessor], name: str) -> list[Any]:
    return [getattr(sampler, name) for sampler in samplers if hasattr(sampler, name)]
