"""Matcher: the state of one request in a compiled grammar, and the mask of tokens allowed next."""

from contextlib import suppress
from threading import Lock
from time import perf_counter

import numpy as np
import numpy.typing as npt

from grammar.errors import GrammarError
from grammar.llguidance_library import NativeMatcher
from grammar.vocabulary import GrammarVocabulary

MAX_FORCED_TOKENS = 256
"""Length to which a run of forced tokens is looked up."""
TEXT_MASK_MIN_SHARE = 1 / 32
"""Share of the vocabulary from which a mask counts as one within free text."""
LARGE_MASK_MIN_SHARE = 0.5
"""Share of the vocabulary from which it is likely that most of a few given tokens are allowed."""
SLOW_MASK_SECONDS = 150e-6
"""A mask that takes longer costs more than checking some tens of tokens with `allows`."""
SLOW_MASK_PROBE_INTERVAL = 16
"""One in so many expensive masks is computed, to see whether they are still expensive."""
_NO_TOKEN = "NoExtension"
"""What llguidance's errors begin with if no token is allowed."""


class Matcher:
    """The state of one request in its grammar. Used by one thread at a time."""

    def __init__(self, matcher: NativeMatcher, vocabulary: GrammarVocabulary) -> None:
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
        return self._matcher.is_accepting

    @property
    def is_over(self) -> bool:
        """Whether only the end is allowed. Raises GrammarError as `mask` does."""
        return self.may_end and self.n_allowed() == len(self._vocabulary.end_of_generation)

    def mask(self) -> npt.NDArray[np.uint32]:
        """Returns a bitmask of the tokens allowed next, (ceil(n_tokens / 32),) uint32, token 0 in the lowest bit.

        End-of-generation tokens are in it exactly if the grammar may end here. The array is valid until the next call,
        and must not be written to. Raises GrammarError if a limit was hit, or if no token is allowed.
        """
        if not self._is_mask_current:
            started = perf_counter()
            self._matcher.compute_mask(self._words)
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
        """Whether `mask` would probably take long and allow most tokens: text is allowed, and its last mask took long.

        An example is a string of limited length, for which llguidance has to check most of the vocabulary. It is then
        faster to check the tokens that matter with `allows`.
        """
        if self._is_mask_current:
            return False
        if self._is_mask_expensive is None:
            letters = self._vocabulary.letters if self._mask_seconds > SLOW_MASK_SECONDS else ()
            is_text = bool(letters) and all(map(self.allows, letters))
            self._n_expensive += is_text
            self._is_mask_expensive = is_text and self._n_expensive % SLOW_MASK_PROBE_INTERVAL > 0
        return self._is_mask_expensive

    def n_allowed(self) -> int:
        """The number of tokens allowed next. Raises GrammarError as `mask` does."""
        self.mask()
        return self._n_allowed

    def allows(self, token: int) -> bool:
        if not 0 <= token < self._vocabulary.n_tokens:
            return False
        if self._is_mask_current:
            return bool(self._mask[token >> 5] >> (token & 31) & 1)
        if token in self._vocabulary.end_of_generation:
            return self.may_end
        return self._matcher.allows(token)

    def accept(self, token: int) -> None:
        """Advances by a token. Raises GrammarError if it is not allowed, or if a limit was hit; the matcher cannot be
        used any more then."""
        self._is_mask_current, self._is_mask_expensive = False, None
        if not self._matcher.consume_token(token):
            raise GrammarError(f"token {token} does not match the grammar: {_error_reason(self._matcher.error)}")

    def forced_tokens(self, max_tokens: int = MAX_FORCED_TOKENS) -> list[int]:
        """Returns the run of tokens of which each is the only one allowed, at most `max_tokens` and MAX_FORCED_TOKENS.

        It ends where the grammar may end, and before an error. Sampling under the mask would give the same tokens. That
        is stricter than llguidance's `compute_ff_tokens`, which tokenizes the forced bytes: those may have several
        tokenizations, of which the model would be free to choose another. Raises GrammarError as `mask` does.
        """
        if self.is_mask_expensive or self.n_allowed() != 1 or self.may_end:
            return []
        max_tokens = min(max_tokens, MAX_FORCED_TOKENS)
        lookahead = Matcher(self._matcher.copy(), self._vocabulary)
        tokens: list[int] = []
        with suppress(GrammarError):  # raised by `mask` if the text really gets there
            while len(tokens) < max_tokens and not lookahead.may_end and lookahead.n_allowed() == 1:
                token = lookahead._first_allowed()
                lookahead.accept(token)
                tokens.append(token)
        return tokens

    def _first_allowed(self) -> int:
        word = int(np.flatnonzero(self._mask)[0])
        bits = int(self._mask[word])
        return word * 32 + (bits & -bits).bit_length() - 1

    def _clear_beyond_vocabulary(self) -> None:
        """Clears the end-of-generation token that llguidance adds if the model has none."""
        last = self._vocabulary.n_tokens
        if last < self._vocabulary.n_table_tokens and last & 31:
            self._mask[-1] &= np.uint32((1 << (last & 31)) - 1)

    def _check(self) -> None:
        if error := self._matcher.error:
            raise _dead_end_error(error)


class CompiledGrammar:
    """A grammar from which requests get their matchers. Thread-safe."""

    def __init__(self, matcher: NativeMatcher, vocabulary: GrammarVocabulary) -> None:
        """Takes over `matcher`, which is at the start of the grammar."""
        self._initial = matcher
        self._vocabulary = vocabulary
        self._lock = Lock()

    def check_start(self) -> None:
        """Raises GrammarError if no token is allowed first. Also warms llguidance's cache for the first mask."""
        with self._lock:
            Matcher(self._initial, self._vocabulary).mask()

    def matcher(self) -> Matcher:
        with self._lock:
            return Matcher(self._initial.copy(), self._vocabulary)


def _dead_end_error(error: str) -> GrammarError:
    reason = _error_reason(error)
    if reason.startswith(_NO_TOKEN):
        return GrammarError("the model has no token that the grammar could go on with")
    return GrammarError(f"the grammar is too complex to go on: {reason}")


def _error_reason(error: str | None) -> str:
    """The first line of llguidance's error; the others describe its state."""
    return (error or "").partition("\n")[0] or "no reason is known"
