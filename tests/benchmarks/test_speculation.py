import numpy as np
import pytest

from benchmarks.speculation.acceptance import acceptance
from benchmarks.speculation.texts import ALL_WORKLOADS, WORKLOADS, MadeUp
from slots.requests.draft import Proposal


def test_of_a_drawn_token_as_much_is_accepted_as_both_have_in_common() -> None:
    p = Proposal(np.array([3, 5, 9]), np.array([0.5, 0.3, 0.2]))
    q = Proposal(np.array([5, 3, 7]), np.array([0.6, 0.3, 0.1]))
    assert acceptance(p, q) == pytest.approx((0.3 + 0.3, 0.3))


def test_a_made_up_text_consists_of_few_tokens() -> None:
    dice = ALL_WORKLOADS["dice"]
    assert isinstance(dice, MadeUp)
    biases = dice.options([5, 4, 5, 6])["logit_bias"]
    assert biases == [[4, 1000], [5, 1000], [6, 1000]]


def test_a_plain_prompt_ends_where_the_answer_begins() -> None:
    assert all(each.plain_prompt().endswith(each.beginning) for each in WORKLOADS.values())
    assert "4.2 million" in WORKLOADS["summary"].plain_prompt()
