"""How many of the largest logits of a row decide what a chain chooses from it."""

from slots.sampling.chain import Chain
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
