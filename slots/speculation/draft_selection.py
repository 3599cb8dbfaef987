"""Which slots draft in a step, and how many tokens. Pure: no threads, no clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

from slots.requests.slot import Slot
from slots.speculation.cost_model import StepTimes, passes
from slots.speculation.draft_budget import Purse


@dataclass(frozen=True, slots=True)
class Offer:
    """A slot that could draft."""

    slot: Slot
    purse: Purse
    most: int
    """Tokens that its draft may have, or has."""


@dataclass(frozen=True, slots=True)
class Prices:
    """What drafts cost in a step and what they save, in seconds."""

    times: StepTimes
    is_pool: bool
    plain: Mapping[int, int]
    """The tokens of each sequence in the step without drafts, by its number."""
    plain_seconds: float
    saved: float
    """By a drafted token that is right: the time of a token without drafts."""
    drafting: float = 0.0
    """What it takes to draft a token in as many slots as offer to."""

    def of(self, drafted: Mapping[int, int]) -> float:
        """What so many drafted tokens cost, by slot, besides drafting them."""
        tokens = {sequence: n + drafted.get(sequence, 0) for sequence, n in self.plain.items()}
        longer = self.times.of(passes(tokens, is_pool=self.is_pool)) - self.plain_seconds
        return max(longer, 0.0) + self.times.to_resume


@dataclass(frozen=True, slots=True)
class Chosen:
    """The slots that draft, and most tokens of each one's draft."""

    offers: Sequence[Offer] = ()
    n_tokens: int = 0


def choose_drafts(offers: Sequence[Offer], prices: Prices) -> Chosen:
    """All drafts of a step are cut to the same length, as passes of sequences with streams of their own have to be: of
    the powers of two the one that promises the most, by how likely drafts were right before.

    It is no matter if that is a loss, while the purses can pay it; but there has to be something to win if all of them
    are right. Slots that cannot pay their part stay out, and the others choose anew.
    """
    while offers:
        lengths = [_Length(offers, n_tokens, prices) for n_tokens in _powers_of_two(max(o.most for o in offers))]
        worthwhile = [length for length in lengths if length.price < prices.saved * length.n_drafted]
        payable = [length for length in worthwhile if not length.poor]
        if payable:
            return Chosen(offers, max(payable, key=lambda length: length.expected_gain).n_tokens)
        poor = min((length.poor for length in worthwhile), key=len, default=offers)
        offers = [offer for offer in offers if offer not in poor]
    return Chosen()


def least_price(prices: Prices, n_max: int) -> float:
    """The least that a slot has to pay for a draft with which it could win, if all slots make one; infinite if there is
    none of at most `n_max` tokens."""
    n_slots = len(prices.plain)
    of_each = {n: prices.of(dict.fromkeys(prices.plain, n)) + prices.drafting * n for n in _powers_of_two(n_max)}
    return min((price / n_slots for n, price in of_each.items() if price < prices.saved * n * n_slots), default=inf)


class _Length:
    """Drafts of at most `n_tokens` in each slot."""

    def __init__(self, offers: Sequence[Offer], n_tokens: int, prices: Prices) -> None:
        self.n_tokens = n_tokens
        drafted = {offer.slot.slot_id: min(n_tokens, offer.most) for offer in offers}
        self.n_drafted = sum(drafted.values())
        self.price = prices.of(drafted) + prices.drafting * n_tokens
        each = self.price / self.n_drafted
        self.poor = [offer for offer in offers if offer.purse.balance < each * drafted[offer.slot.slot_id]]
        self.expected_gain = prices.saved * sum(o.purse.expected(drafted[o.slot.slot_id]) for o in offers) - self.price


def _powers_of_two(most: int) -> list[int]:
    return [1 << place for place in range(most.bit_length())]
