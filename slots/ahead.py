"""What a step has computed of each slot, and of the tokens that were guessed to follow."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from slots.completion.output_processor import Told
from slots.requests.events import StopReason
from slots.requests.slot import Slot
from slots.scheduling.kv_cache_manager import KvCache
from slots.scheduling.scheduler import Share


@dataclass(slots=True)
class Ahead:
    """A slot of which the next token can be chosen."""

    slot: Slot
    draft: Sequence[int]
    """Tokens that were computed behind those of its work."""
    place: int
    """Which row of output its next token is chosen from; the rows behind it are those of the draft."""
    n_right: int = 0
    """Tokens of the draft that turned out to be the text."""

    def goes_on(self, cache: KvCache) -> bool:
        """Whether all that has become pending since is computed already, as the next tokens of the draft. If so, it is
        taken over, and one more token can be chosen."""
        pending = self.slot.pending
        end = self.n_right + len(pending)
        if not pending or list(self.draft[self.n_right : end]) != pending:
            return False
        self.n_right = end
        self.place += len(pending)
        cache.note_computed(self.slot, pending)
        return True


def rows_ahead(shares: Iterable[Share], told: Told, now: float) -> list[Ahead]:
    """What was computed of the slots whose prompts were computed to their ends at `now`, in seconds. Slots that want no
    tokens are done."""
    ahead: list[Ahead] = []
    place = 0
    for share in shares:
        if share.slot.n_pending > 0:
            continue
        generation = told.generation_in(share.slot)
        generation.end_prefill(now)
        if generation.wants_tokens:
            ahead.append(Ahead(share.slot, share.draft, place))
            place += 1 + len(share.draft)
        else:
            told.release(share.slot, generation.finish(StopReason.LIMIT, now))
    return ahead
