"""Which slots draft in a step, and how many tokens. Pure: no threads, no clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

from slots.requests.slot import Slot
from slots.speculation.cost_model import StepTimeModel, decode_passes
from slots.speculation.draft_budget import DraftBudget


@dataclass(frozen=True, slots=True)
class DraftCandidate:
    """A slot that could draft."""

    slot: Slot
    budget: DraftBudget
    max_tokens: int
    """Tokens that its draft may have, or has."""


@dataclass(frozen=True, slots=True)
class DraftCosts:
    """What drafts cost in a step and what they save, in seconds."""

    step_times: StepTimeModel
    is_unified: bool
    plain: Mapping[int, int]
    """The tokens of each sequence in the step without drafts, by its number."""
    plain_seconds: float
    seconds_saved: float
    """By a drafted token that is right: the time of a token without drafts."""
    drafting_seconds: float = 0.0
    """What it takes to draft a token in as many slots as offer to."""

    def step_cost(self, drafted: Mapping[int, int]) -> float:
        """What so many drafted tokens cost, by slot, besides drafting them."""
        tokens = {sequence: n + drafted.get(sequence, 0) for sequence, n in self.plain.items()}
        longer = self.step_times.estimate(decode_passes(tokens, is_unified=self.is_unified)) - self.plain_seconds
        return max(longer, 0.0) + self.step_times.switch_seconds


@dataclass(frozen=True, slots=True)
class DraftSelection:
    """The slots that draft, and most tokens of each one's draft."""

    candidates: Sequence[DraftCandidate] = ()
    n_tokens: int = 0


def select_drafts(candidates: Sequence[DraftCandidate], costs: DraftCosts) -> DraftSelection:
    """All drafts of a step are cut to the same length, as passes of sequences with streams of their own have to be: of
    the powers of two the one that promises the most, by how likely drafts were right before.

    It is no matter if that is a loss, while the purses can pay it; but there has to be something to win if all of them
    are right. Slots that cannot pay their part stay out, and the others choose anew.
    """
    while candidates:
        lengths = [
            _LengthOption(candidates, n_tokens, costs)
            for n_tokens in _powers_of_two(max(o.max_tokens for o in candidates))
        ]
        worthwhile = [length for length in lengths if length.cost < costs.seconds_saved * length.n_drafted]
        affordable = [length for length in worthwhile if not length.over_budget]
        if affordable:
            return DraftSelection(candidates, max(affordable, key=lambda length: length.expected_gain).n_tokens)
        over_budget = min((length.over_budget for length in worthwhile), key=len, default=candidates)
        candidates = [offer for offer in candidates if offer not in over_budget]
    return DraftSelection()


def min_cost(costs: DraftCosts, n_max: int) -> float:
    """The least that a slot has to pay for a draft with which it could win, if all slots make one; infinite if there is
    none of at most `n_max` tokens."""
    n_slots = len(costs.plain)
    of_each = {
        n: costs.step_cost(dict.fromkeys(costs.plain, n)) + costs.drafting_seconds * n for n in _powers_of_two(n_max)
    }
    return min(
        (price / n_slots for n, price in of_each.items() if price < costs.seconds_saved * n * n_slots), default=inf
    )


class _LengthOption:
    """Drafts of at most `n_tokens` in each slot."""

    def __init__(self, offers: Sequence[DraftCandidate], n_tokens: int, prices: DraftCosts) -> None:
        self.n_tokens = n_tokens
        drafted = {offer.slot.slot_id: min(n_tokens, offer.max_tokens) for offer in offers}
        self.n_drafted = sum(drafted.values())
        self.cost = prices.step_cost(drafted) + prices.drafting_seconds * n_tokens
        each = self.cost / self.n_drafted
        self.over_budget = [offer for offer in offers if offer.budget.seconds_left < each * drafted[offer.slot.slot_id]]
        self.expected_gain = (
            prices.seconds_saved * sum(o.budget.expected_accepted(drafted[o.slot.slot_id]) for o in offers) - self.cost
        )


def _powers_of_two(maximum: int) -> list[int]:
    return [1 << place for place in range(maximum.bit_length())]
