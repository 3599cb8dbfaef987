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
from slots.sampling.fast_chain import draw_usual
from slots.sampling.logits.candidates import Candidates, check_possible
from slots.sampling.logits.draw import draw
from slots.sampling.logits.workspace import Workspace
from slots.sampling.logprobs import ModelProbabilities, remaining_probabilities
from slots.sampling.sampler_context import Ingredients, Step, Surroundings
from slots.sampling.samplers.grammar_mask import limits_named
from slots.sampling.samplers.penalties import Penalties
from slots.sampling.samplers.truncation import k_of


def n_decisive(chain: Chain) -> int | None:
    """A number of largest logits with which a chain chooses as it does with the whole row, whatever the row is; None
    where no number is enough.

    It is enough for a chain that begins with a top-k, or takes the most likely token, and before that only lowers
    logits: where so many are lowered, the k largest of all are among the k and so many that were largest before. One
    more tells whether there may be others that are as large as the last of them.
    """
    k = 1 if chain.is_greedy and not chain.others else k_of(chain.others[0]) if chain.others else None
    if k is None or chain.mask is not None:
        return None
    n = k + 1
    for edit in chain.edits:
        # Which an edit says that may not give a token a higher logit.
        lowered: int | None = getattr(edit, "most_lowered", None)
        if lowered is None:
            return None
        n += lowered
    return n


def quiet() -> np.errstate:
    """Numpy's warnings are off within: what is too far from the largest logit to be a number does not matter."""
    return np.errstate(all="ignore")


@dataclass(slots=True)
class Choice:
    """A chosen token, with probabilities where they were asked for."""

    token: int
    probabilities: PositionLogprobs | None


class Sampler:
    """The samplers of one request, with their state and their own random generator."""

    def __init__(
        self,
        params: SamplingParams,
        prompt: Sequence[int],
        surroundings: Surroundings,
        matcher: Matcher | None = None,
    ) -> None:
        """`matcher` is where the request is in its grammar, if it has one."""
        self.seed = params.seed if params.seed >= 0 else secrets.randbits(32)
        self._random = np.random.Generator(np.random.PCG64(self.seed))
        self.random_share: Callable[[], float] = self._random.random
        """Gives a random number from 0 to below 1, to draw a token with."""
        self._matcher = matcher
        ingredients = Ingredients(params, prompt, surroundings, self._random, matcher)
        self._chain = chain = build_chain(ingredients)
        samplers = tuple(dict.fromkeys(chain.steps))
        # By their names: to ask for a protocol takes as long as to choose a token.
        self._accepts: list[Callable[[int], None]] = _methods(samplers, "accept")
        """Of samplers that look back on the text."""
        self._observes: list[Callable[[int, float], None]] = _methods(samplers, "observe")
        """Of one that learns from how likely the chosen tokens were, at the end of its chain."""
        self._ruled_out = ingredients.ruled_out() if matcher else set()
        self._n_probs = params.n_probs
        self._of_model = params.n_probs > 0 and not params.post_sampling_probs
        self.mask = chain.mask
        """What a grammar takes away first."""
        self.usual = None if params.n_probs else chain.usual
        """What it does after mask and edits, if that can be done for many rows at once."""
        self.takes_best = chain.is_greedy and not (chain.others or chain.mask or params.n_probs)
        """Whether it takes the most likely token after its edits, and does nothing else."""
        self.n_decisive = None if self._of_model else n_decisive(chain)
        """A number of largest logits that it needs no others than to choose from; None if there is none."""
        self.weighs_all = chain.weighs_all or self._of_model
        """Whether it computes the probabilities of all tokens."""
        self.has_edits = bool(chain.edits)
        """Whether it changes logits of a whole row before all else but the mask."""
        penalties = [edit for edit in chain.edits if isinstance(edit, Penalties)]
        self.only_penalties = penalties[0] if len(penalties) == len(chain.edits) == 1 else None
        """Its edits, if those are no more than the penalties."""

    def choose(self, row: Logits, workspace: Workspace, *, is_edited: bool = False) -> Choice:
        """The next token for a row of logits, float32 of shape (vocabulary,), some of which are changed on the way.

        Raises InvalidRequest when the options leave no token to choose from.
        """
        return self.choose_from(Candidates(row, workspace), is_edited=is_edited)

    def choose_from(self, candidates: Candidates, *, is_edited: bool = False) -> Choice:
        """As `choose`, of a whole row or of the largest logits of one, at least as many as decide."""
        with quiet():
            before = ModelProbabilities(candidates, self._n_probs) if self._of_model else None
            place = self._choose_place(candidates, () if is_edited else self._chain.edits)
            token = self.take(candidates.token(place))
            if before is not None:
                return Choice(token, before.with_chosen(token))
            return Choice(token, self._remaining(candidates, place) if self._n_probs else None)

    def edit(self, candidates: Candidates) -> None:
        """The part of a choice that only changes some logits of a whole row."""
        for step in self._chain.edits:
            step(candidates)

    def take(self, token: int) -> int:
        """Take in a token that was chosen, and return it."""
        for accept in self._accepts:
            accept(token)
        return token

    @property
    def is_over(self) -> bool:
        """Whether a grammar leaves nothing but the end. Raises InvalidRequest where a grammar hits its limits."""
        if self._matcher is None:
            return False
        with limits_named():
            return self._matcher.is_over

    def take_forced(self, least: int = 1, most: int = MAX_FORCED_TOKENS) -> list[int]:
        """Take in the tokens that a grammar leaves no choice about, and return them: just those that would be chosen
        one after the other, at most `most`. None if there are fewer than `least`, or where choosing has other effects
        than the choice. Raises InvalidRequest as above."""
        if self._matcher is None or self._n_probs or self._observes or most < least:
            return []
        with limits_named():
            tokens = list(takewhile(lambda token: token not in self._ruled_out, self._matcher.forced_tokens(most)))
        if len(tokens) < least:
            return []
        for token in tokens:
            if not self._chain.is_greedy:
                self.random_share()  # which the choice would have taken
            self.take(token)
        return tokens

    def _choose_place(self, candidates: Candidates, edits: Sequence[Step]) -> int:
        if self._chain.mask is not None:
            self._chain.mask(candidates)
        for step in edits:
            step(candidates)
        if self.usual is not None:
            place = draw_usual(candidates, self.usual, self._random)
            if place is not None:
                return place
        for step in self._chain.others:
            step(candidates)
        return self._take_best(candidates) if self._chain.is_greedy else self._draw(candidates)

    def _take_best(self, candidates: Candidates) -> int:
        place = candidates.best()
        check_possible(candidates.logits[place])
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
        return remaining_probabilities(candidates, place, self._n_probs)


def _methods(samplers: Iterable[Step], name: str) -> list[Any]:
    return [getattr(sampler, name) for sampler in samplers if hasattr(sampler, name)]
