import pytest

from server.generation.infill_prompt import FimTokens, InfillContext, TokenBudget, infill_prompt, token_budget

PRE, SUF, MID, BOS = 1001, 1002, 1003, 1004
MARKS = FimTokens(PRE, SUF, MID)


def prompt(gap: InfillContext, room: TokenBudget, *, marks: FimTokens = MARKS, suffix_first: bool = False) -> list[int]:
    return list(infill_prompt(gap, marks, room, suffix_first=suffix_first))


def test_what_has_room_stands_whole() -> None:
    gap = InfillContext(prefix=[1, 2], suffix=[7, 8], middle_start=[3], extra=[91, 92])
    assert prompt(gap, TokenBudget(around=64, extra=2)) == [91, 92, PRE, 1, 2, 3, SUF, 7, 8, MID]


def test_the_suffix_can_stand_first() -> None:
    gap = InfillContext(prefix=[1, 2], suffix=[7, 8], middle_start=[3], extra=[91])
    assert prompt(gap, TokenBudget(64, 2), suffix_first=True) == [91, SUF, 7, 8, PRE, 1, 2, 3, MID]


def test_bos_stands_in_front_of_everything() -> None:
    marks = FimTokens(PRE, SUF, MID, (BOS,))
    assert prompt(InfillContext([1], [7], extra=[91]), TokenBudget(64, 2), marks=marks) == [
        BOS,
        91,
        PRE,
        1,
        SUF,
        7,
        MID,
    ]


def test_prefix_and_suffix_are_cut_at_their_far_ends_to_three_and_one() -> None:
    gap = InfillContext(prefix=range(100), suffix=range(200, 300))
    assert prompt(gap, TokenBudget(32, 0)) == [PRE, *range(76, 100), SUF, *range(200, 206), MID]


def test_the_beginning_of_the_text_takes_room_from_the_suffix_first() -> None:
    gap = InfillContext(prefix=range(100), suffix=range(200, 300), middle_start=range(400, 404))
    assert prompt(gap, TokenBudget(32, 0)) == [PRE, *range(76, 100), *range(400, 404), SUF, 200, 201, MID]


def test_a_long_beginning_of_the_text_takes_the_room_of_all() -> None:
    gap = InfillContext(prefix=range(100), suffix=range(200, 300), middle_start=range(400, 500))
    assert prompt(gap, TokenBudget(32, 0)) == [PRE, *range(470, 500), SUF, MID]


def test_the_extra_tokens_nearest_to_the_prefix_stay() -> None:
    assert prompt(InfillContext([1], [7], extra=range(50)), TokenBudget(32, 3)) == [47, 48, 49, PRE, 1, SUF, 7, MID]


@pytest.mark.parametrize("n_predict", [-1, 0, 1, 100, 5_000, 100_000])
@pytest.mark.parametrize("n_ctx", [256, 300, 2_048, 8_192])
@pytest.mark.parametrize("n_batch", [1, 4, 64, 2_048])
@pytest.mark.parametrize("has_extra", [False, True])
def test_the_longest_prompt_leaves_room_for_an_answer(
    n_predict: int, n_ctx: int, n_batch: int, *, has_extra: bool
) -> None:
    long = range(20_000)
    gap = InfillContext(long, long, long, long if has_extra else ())
    room = token_budget(n_predict, n_ctx, n_batch, has_extra=has_extra)
    n_tokens = len(prompt(gap, room, marks=FimTokens(PRE, SUF, MID, (BOS,))))
    assert n_tokens <= n_ctx - min(max(n_predict, n_ctx // 8), n_ctx // 2)


def test_short_answers_do_not_change_where_extra_tokens_are_cut() -> None:
    assert len({token_budget(n_predict, 8_192, 2_048, has_extra=True) for n_predict in (-1, 0, 1, 128)}) == 1


def test_prefix_and_suffix_get_a_batch_where_the_context_is_large() -> None:
    assert token_budget(128, 32_768, 2_048, has_extra=True).around == 2_048


def test_a_small_context_has_room_for_extra_tokens_too() -> None:
    assert token_budget(128, 1_024, 2_048, has_extra=True).extra > 100
    assert token_budget(128, 1_024, 2_048, has_extra=False).extra == 0
