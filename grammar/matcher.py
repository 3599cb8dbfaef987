"""A compiled grammar, and where a request is in it."""

from contextlib import suppress
from threading import Lock
from time import perf_counter

import numpy as np
import numpy.typing as npt
from llguidance import LLMatcher

from grammar.errors import GrammarError
from grammar.vocabulary import GrammarVocabulary

MAX_FORCED_TOKENS = 256
"""Tokens that are looked ahead for."""
TEXT_MASK_MIN_SHARE = 1 / 32
"""Share of all tokens from which on those that are allowed are so many as only in the middle of a text."""
LARGE_MASK_MIN_SHARE = 0.5
"""The same from which on it is likely that enough of some tokens are allowed."""
SLOW_MASK_SECONDS = 150e-6
"""Seconds that a mask takes from which on some tens of tokens are rather asked for one by one."""
SLOW_MASK_PROBE_INTERVAL = 16
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
        self._is_mask_current = False
        self._n_allowed = 0
        self._mask_seconds = 0.0
        self._n_expensive = 0
        self._is_mask_expensive: bool | None = None

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
        if not self._is_mask_current:
            started = perf_counter()
            self._matcher.unsafe_compute_mask_ptr(self._words.ctypes.data, self._words.nbytes)
            seconds = perf_counter() - started
            self._check()
            self._clear_beyond_vocabulary()
            self._n_allowed = int(np.bitwise_count(self._mask).sum())
            self._is_mask_current = True
            share = self._n_allowed / self._vocabulary.n_tokens
            if share > TEXT_MASK_MIN_SHARE:
                self._mask_seconds = seconds if share > LARGE_MASK_MIN_SHARE else 0.0
        return self._mask

    @property
    def is_mask_expensive(self) -> bool:
        """Whether a mask would take long and allow very many tokens, as far as can be told: what may come is text, for
        which the latest mask took long. In a string of limited length, for example, llguidance has to look at most of
        the vocabulary. It is better then to ask for the tokens that matter with `allows`."""
        if self._is_mask_current:
            return False
        if self._is_mask_expensive is None:
            letters = self._vocabulary.letters if self._mask_seconds > SLOW_MASK_SECONDS else ()
            is_text = bool(letters) and all(map(self.allows, letters))
            self._n_expensive += is_text
            self._is_mask_expensive = is_text and self._n_expensive % SLOW_MASK_PROBE_INTERVAL > 0
        return self._is_mask_expensive

    def n_allowed(self) -> int:
        """How many tokens may come next. Raises GrammarError as `mask` does."""
        self.mask()
        return self._n_allowed

    def allows(self, token: int) -> bool:
        """Whether a token may come next."""
        if not 0 <= token < self._vocabulary.n_tokens:
            return False
        if self._is_mask_current:
            return bool(self._mask[token >> 5] >> (token & 31) & 1)
        if token in self._vocabulary.end_of_generation:
            return self.may_end
        return self._matcher.validate_tokens([token]) == 1

    def accept(self, token: int) -> None:
        """Go on by a token. Raises GrammarError if it may not come next, or if a limit was hit; there is no going on
        from there."""
        self._is_mask_current, self._is_mask_expensive = False, None
        if not self._matcher.consume_token(token):
            raise GrammarError(f"token {token} does not match the grammar: {_error_reason(self._matcher)}")

    def forced_tokens(self, max_tokens: int = MAX_FORCED_TOKENS) -> list[int]:
        """The tokens that have to come next, in a row, at most `most` of them and `MAX_FORCED`: for each of them the
        mask has no other bit. Empty where there is a choice, or where the grammar may end.

        Sampling under the mask would choose the same. That is stricter than llguidance's own `compute_ff_tokens`,
        which tokenizes the bytes that are forced: there the text is given, but not how it is cut into tokens, and the
        model would have been free to cut it otherwise. Raises GrammarError as `mask` does; where the grammar cannot go
        on behind some tokens, there are no more than those.
        """
        if self.is_mask_expensive or self.n_allowed() != 1 or self.may_end:
            return []
        lookahead = Matcher(self._matcher.deep_copy(), self._vocabulary)
        tokens: list[int] = []
        with suppress(GrammarError):  # it is raised where it stands, if the text gets there
            while (
                len(tokens) < min(max_tokens, MAX_FORCED_TOKENS)
                and not lookahead.may_end
                and lookahead.n_allowed() == 1
            ):
                token = lookahead._first_allowed()
                lookahead.accept(token)
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
            raise _dead_end_error(self._matcher)


class CompiledGrammar:
    """A grammar that requests can be matched against. Its methods may be called from any thread."""

    def __init__(self, matcher: LLMatcher, vocabulary: GrammarVocabulary) -> None:
        """`matcher` is at the start of the grammar; it is not to be used by others."""
        self._initial = matcher
        self._vocabulary = vocabulary
        self._lock = Lock()

    def check_start(self) -> None:
        """Raises GrammarError if there is no token that the grammar can begin with. Gets the first mask ready."""
        with self._lock:
            self._initial.compute_bitmask()
            if self._initial.is_error():
                raise _dead_end_error(self._initial)

    def matcher(self) -> Matcher:
        """A new one, at the start of the grammar."""
        with self._lock:
            return Matcher(self._initial.deep_copy(), self._vocabulary)


def _dead_end_error(matcher: LLMatcher) -> GrammarError:
    """Why there is no mask."""
    reason = _error_reason(matcher)
    if reason.startswith(_NO_TOKEN):
        return GrammarError("the model has no token that the grammar could go on with")
    return GrammarError(f"the grammar is too complex to go on: {reason}")


def _error_reason(matcher: LLMatcher) -> str:
    """What llguidance says, without the state that it adds in further lines."""
    return matcher.get_error().partition("\n")[0] or "no reason is known"
