"""A compiled grammar, and where a request is in it."""

from contextlib import suppress
from threading import Lock
from time import perf_counter

import numpy as np
import numpy.typing as npt
from llguidance import LLMatcher

from grammar.errors import GrammarError
from grammar.vocabulary import GrammarVocabulary

MAX_FORCED = 256
"""Tokens that are looked ahead for."""
_MANY = 1 / 32
"""Share of all tokens from which on those that are allowed are so many as only in the middle of a text."""
_MOST = 0.5
"""The same from which on it is likely that enough of some tokens are allowed."""
_DEAR = 150e-6
"""Seconds that a mask takes from which on some tens of tokens are rather asked for one by one."""
_MASKS_ANYWAY = 16
"""Of so many dear masks one is computed, to see whether they are still dear."""
_NO_TOKEN = "NoExtension"
"""What llguidance calls it if nothing may come."""


class Matcher:
    """Where one request is in its grammar. To be used by one thread at a time."""

    def __init__(self, matcher: LLMatcher, vocabulary: GrammarVocabulary) -> None:
        self._matcher = matcher
        self._vocabulary = vocabulary
        # llguidance writes whole 32-bit words.
        self._words = np.zeros((vocabulary.n_table_tokens + 31) // 32, np.uint32)
        self._mask = self._words[: (vocabulary.n_tokens + 31) // 32]
        self._is_current = False
        self._count = 0
        self._seconds = 0.0
        self._n_dear = 0
        self._is_dear: bool | None = None

    @property
    def may_end(self) -> bool:
        """Whether the grammar may end here."""
        return bool(self._matcher.is_accepting())

    @property
    def is_over(self) -> bool:
        """Whether nothing may come but the end. Raises GrammarError as `mask` does."""
        return self.may_end and self.n_allowed() == len(self._vocabulary.end_of_generation)

    def mask(self) -> npt.NDArray[np.uint32]:
        """One bit for each token that may come next, the first token in the lowest bit of the first word.

        End-of-generation tokens are among them exactly where the grammar may end. The array is valid until the next
        call of a method, and not to be written to. Raises GrammarError if a limit was hit, or if the vocabulary has no
        token to go on with.
        """
        if not self._is_current:
            started = perf_counter()
            self._matcher.unsafe_compute_mask_ptr(self._words.ctypes.data, self._words.nbytes)
            seconds = perf_counter() - started
            self._check()
            self._clear_beyond_vocabulary()
            self._count = int(np.bitwise_count(self._mask).sum())
            self._is_current = True
            share = self._count / self._vocabulary.n_tokens
            if share > _MANY:
                self._seconds = seconds if share > _MOST else 0.0
        return self._mask

    @property
    def is_dear(self) -> bool:
        """Whether a mask would take long and allow very many tokens, as far as can be told: what may come is text, for
        which the latest mask took long. In a string of limited length, for example, llguidance has to look at most of
        the vocabulary. It is better then to ask for the tokens that matter with `allows`."""
        if self._is_current:
            return False
        if self._is_dear is None:
            letters = self._vocabulary.letters if self._seconds > _DEAR else ()
            is_text = bool(letters) and all(map(self.allows, letters))
            self._n_dear += is_text
            self._is_dear = is_text and self._n_dear % _MASKS_ANYWAY > 0
        return self._is_dear

    def n_allowed(self) -> int:
        """How many tokens may come next. Raises GrammarError as `mask` does."""
        self.mask()
        return self._count

    def allows(self, token: int) -> bool:
        """Whether a token may come next."""
        if not 0 <= token < self._vocabulary.n_tokens:
            return False
        if self._is_current:
            return bool(self._mask[token >> 5] >> (token & 31) & 1)
        if token in self._vocabulary.end_of_generation:
            return self.may_end
        return self._matcher.validate_tokens([token]) == 1

    def accept(self, token: int) -> None:
        """Go on by a token. Raises GrammarError if it may not come next, or if a limit was hit; there is no going on
        from there."""
        self._is_current, self._is_dear = False, None
        if not self._matcher.consume_token(token):
            raise GrammarError(f"token {token} does not match the grammar: {_reason(self._matcher)}")

    def forced(self, most: int = MAX_FORCED) -> list[int]:
        """The tokens that have to come next, in a row, at most `most` of them and `MAX_FORCED`: for each of them the
        mask has no other bit. Empty where there is a choice, or where the grammar may end.

        Sampling under the mask would choose the same. That is stricter than llguidance's own `compute_ff_tokens`,
        which tokenizes the bytes that are forced: there the text is given, but not how it is cut into tokens, and the
        model would have been free to cut it otherwise. Raises GrammarError as `mask` does; where the grammar cannot go
        on behind some tokens, there are no more than those.
        """
        if self.is_dear or self.n_allowed() != 1 or self.may_end:
            return []
        ahead = Matcher(self._matcher.deep_copy(), self._vocabulary)
        tokens: list[int] = []
        with suppress(GrammarError):  # it is raised where it stands, if the text gets there
            while len(tokens) < min(most, MAX_FORCED) and not ahead.may_end and ahead.n_allowed() == 1:
                token = ahead._first_allowed()
                ahead.accept(token)
                tokens.append(token)
        return tokens

    def _first_allowed(self) -> int:
        word = int(np.flatnonzero(self._mask)[0])
        bits = int(self._mask[word])
        return word * 32 + (bits & -bits).bit_length() - 1

    def _clear_beyond_vocabulary(self) -> None:
        """Where no token ends a generation, llguidance has one of its own."""
        last = self._vocabulary.n_tokens
        if last < self._vocabulary.n_table_tokens and last & 31:
            self._mask[-1] &= np.uint32((1 << (last & 31)) - 1)

    def _check(self) -> None:
        if self._matcher.is_error():
            raise _dead_end(self._matcher)


class CompiledGrammar:
    """A grammar that requests can be matched against. Its methods may be called from any thread."""

    def __init__(self, matcher: LLMatcher, vocabulary: GrammarVocabulary) -> None:
        """`matcher` is at the start of the grammar; it is not to be used by others."""
        self._pristine = matcher
        self._vocabulary = vocabulary
        self._lock = Lock()

    def check_start(self) -> None:
        """Raises GrammarError if there is no token that the grammar can begin with. Gets the first mask ready."""
        with self._lock:
            self._pristine.compute_bitmask()
            if self._pristine.is_error():
                raise _dead_end(self._pristine)

    def matcher(self) -> Matcher:
        """A new one, at the start of the grammar."""
        with self._lock:
            return Matcher(self._pristine.deep_copy(), self._vocabulary)


def _dead_end(matcher: LLMatcher) -> GrammarError:
    """Why there is no mask."""
    reason = _reason(matcher)
    if reason.startswith(_NO_TOKEN):
        return GrammarError("the model has no token that the grammar could go on with")
    return GrammarError(f"the grammar is too complex to go on: {reason}")


def _reason(matcher: LLMatcher) -> str:
    """What llguidance says, without the state that it adds in further lines."""
    return matcher.get_error().partition("\n")[0] or "no reason is known"
