"""What samplers know of the model."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Self

from slots.llama import Vocab
from slots.sampling.sequence_breakers import BreakerFinder, Breakers


def _no_text(_token: int) -> bytes:
    return b""


def _no_breakers(_strings: Sequence[str]) -> Breakers:
    return Breakers(())


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The same for all requests; a sampler is given it with the options of its request."""

    n_vocab: int
    n_ctx: int
    """Most tokens of a text."""
    newline: int | None = None
    """The token of a line end."""
    end: int | None = None
    """The token that ends a turn or, where a model has none, a text."""
    end_of_generation: Collection[int] = ()
    """All tokens that end a text."""
    never: Collection[int] = ()
    """Tokens that the model's header rules out."""
    text_of: Callable[[int], bytes] = _no_text
    """The text of a token; nothing for one that steers the model."""
    find_breakers: Callable[[Sequence[str]], Breakers] = _no_breakers
    """The tokens of sequence breakers."""

    @classmethod
    def of(cls, vocab: Vocab, n_ctx: int) -> Self:
        """Those of a loaded model, with texts of at most `n_ctx` tokens."""
        return cls(
            n_vocab=vocab.n_tokens,
            n_ctx=n_ctx,
            newline=vocab.newline,
            end=vocab.eos if vocab.eot is None else vocab.eot,
            end_of_generation=vocab.end_of_generation,
            never=vocab.suppressed,
            text_of=vocab.text_of,
            find_breakers=BreakerFinder(vocab).find,
        )
