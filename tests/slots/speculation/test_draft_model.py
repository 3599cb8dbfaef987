"""The bundled model drafts for itself."""

import asyncio
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from benchmarks.sampling.synthetic_model import write_model
from models.source import BUNDLED_MODEL
from slots.errors import ModelLoadError
from slots.llama import Batch, Context, DecodeError, Logits
from slots.options import ContextOptions, EngineOptions, SpeculationOptions
from slots.requests.request import CompletionRequest
from slots.requests.request_state import RequestState
from slots.requests.sampling_params import SamplingParams
from slots.requests.slot import Slot
from slots.sampling import ProposalSampler
from slots.sampling.proposals import MAX_CANDIDATES
from slots.speculation.draft_model import DraftModel
from tests.slots.engine_runner import Completion, EngineRunner, load_engine
from tests.slots.speculation.conftest import MakeDraftingRunner

ENDLESS = SamplingParams(temperature=0.0, repeat_penalty=1.0, ignore_eos=True)
PARK = "Tom went to the park and saw a big dog. It was red. "
PROMPTS = ["Once upon a time", "One day, a little girl named Lily", "Tom and Sam went to the park", "A bird"]


def draft_options(path: Path, **options: Any) -> EngineOptions:
    chosen = {"spec_types": ("draft-simple",), "draft_cache_type_k": "f32", "draft_cache_type_v": "f32", **options}
    return EngineOptions(speculation=SpeculationOptions(draft_file=path, **chosen))


def make_draft_model(context: SimpleNamespace, **options: Any) -> DraftModel:
    """One with a context that only acts as one, and a vocabulary of 100 tokens."""
    return DraftModel(cast(Context, context), 100, SpeculationOptions(**options), ProposalSampler(100))


def tokens_of(answer: Completion) -> list[int]:
    return [token.token for token in answer.tokens]


async def same_with_drafts(runner: EngineRunner, prompt: str, **options: Any) -> Completion:
    """The answer with drafts, once it is seen to be that without."""
    plain = await runner.complete(prompt, ENDLESS, n_draft=0, **options)
    drafted = await runner.complete(prompt, ENDLESS, **options)
    assert tokens_of(drafted) == tokens_of(plain)
    return drafted


@pytest.mark.parametrize("kv_unified", [False, True])
def test_all_drafts_of_the_model_itself_are_accepted(
    make_drafting_runner: MakeDraftingRunner, float_model: Path, kv_unified: bool
) -> None:
    runner = make_drafting_runner(None, draft_options(float_model, draft_n_max=5), n_ctx=1024, kv_unified=kv_unified)

    async def test() -> None:
        for prompt in PROMPTS:
            timings = (await same_with_drafts(runner, prompt, n_predict=25)).finished.timings
            assert timings.draft_n == timings.draft_n_accepted == 20
        alone = [await runner.complete(prompt, ENDLESS, n_predict=30, n_draft=0) for prompt in PROMPTS]
        beside = await asyncio.gather(*(runner.complete(prompt, ENDLESS, n_predict=30) for prompt in PROMPTS))
        assert list(map(tokens_of, beside)) == list(map(tokens_of, alone))
        assert all(each.finished.timings.draft_n == each.finished.timings.draft_n_accepted for each in beside)

    runner.run(test)


def test_long_prompts_are_read_in_chunks(make_drafting_runner: MakeDraftingRunner, float_model: Path) -> None:
    runner = make_drafting_runner(None, draft_options(float_model), n_ctx=512, n_parallel=1, n_ubatch=16, n_batch=64)

    async def test() -> None:
        timings = (await same_with_drafts(runner, PARK * 12, n_predict=60)).finished.timings
        assert 0 < timings.draft_n == timings.draft_n_accepted

    runner.run(test)


def test_it_follows_a_sampled_text(make_drafting_runner: MakeDraftingRunner, float_model: Path) -> None:
    runner = make_drafting_runner(None, draft_options(float_model), n_ctx=512, n_parallel=1)
    sampling = SamplingParams(temperature=1.0, seed=3, ignore_eos=True)

    async def test() -> None:
        plain = await runner.complete(PROMPTS[0], sampling, n_predict=60, n_draft=0)
        drafted = await runner.complete(PROMPTS[0], sampling, n_predict=60)
        assert tokens_of(drafted) == tokens_of(plain)
        timings = drafted.finished.timings
        assert 0 < timings.draft_n_accepted < timings.draft_n

    runner.run(test)


def test_it_stops_where_no_token_is_likely(make_drafting_runner: MakeDraftingRunner, float_model: Path) -> None:
    n_drafted = []
    for p_min in (0.3, 0.99):
        runner = make_drafting_runner(None, draft_options(float_model, draft_p_min=p_min), n_ctx=256, n_parallel=1)

        async def test(runner: EngineRunner = runner) -> None:
            timings = (await same_with_drafts(runner, PROMPTS[0], n_predict=60)).finished.timings
            n_drafted.append(timings.draft_n)

        runner.run(test)
    assert n_drafted[0] > n_drafted[1]


def test_less_than_the_fewest_is_not_used(make_drafting_runner: MakeDraftingRunner, float_model: Path) -> None:
    runner = make_drafting_runner(
        None, draft_options(float_model, draft_n_min=4, draft_n_max=3), n_ctx=256, n_parallel=1
    )

    async def test() -> None:
        assert (await same_with_drafts(runner, PROMPTS[0], n_predict=20)).finished.timings.draft_n == 0

    runner.run(test)


def test_the_text_goes_before_the_draft_model(make_drafting_runner: MakeDraftingRunner, float_model: Path) -> None:
    options = draft_options(float_model, spec_types=("ngram", "draft-simple"), draft_n_max=2)
    runner = make_drafting_runner(None, options, n_ctx=512, n_parallel=1)

    async def test() -> None:
        drafted = await same_with_drafts(runner, "one two three four five six seven, one two three", n_predict=40)
        assert drafted.finished.timings.draft_n > 26  # no draft of the model alone has more than 2 tokens of 3

    runner.run(test)


def test_a_draft_model_that_fails_is_done_without(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_batch: object) -> None:
        raise DecodeError("out of memory")

    context = SimpleNamespace(
        n_batch=64, n_ubatch=64, n_sequences=1, n_ctx=256, n_ctx_seq=256, is_unified=False, decode=fail
    )
    drafter = make_draft_model(context)
    slot = Slot(0, 256)
    slot.assign(RequestState(CompletionRequest((1,)), 1))
    with caplog.at_level(logging.ERROR, "slots"):
        assert drafter.draft([slot], 4)[0].tokens == []
        assert drafter.draft([slot], 4)[0].tokens == []
    assert drafter.n_max == 0
    assert [record.getMessage() for record in caplog.records] == [
        "the draft model failed, the texts go on without it: out of memory"
    ]


class CountingContext(SimpleNamespace):
    """Of 100 tokens, all of them equally likely, and an ubatch of 16."""

    def __init__(self) -> None:
        super().__init__(n_batch=64, n_ubatch=16, n_sequences=1, n_ctx=256, n_ctx_seq=256, is_unified=False)
        self.n_read = 0

    def keep_prefix(self, sequence: int, n_tokens: int) -> bool:
        return True

    def decode(self, batch: Batch) -> Logits:
        self.n_read += batch.n_tokens
        return np.zeros((batch.n_outputs, 100), np.float32)


def test_prompts_are_not_read_where_the_time_counts() -> None:
    context = CountingContext()
    drafter = make_draft_model(context)
    slot = Slot(0, 256)
    slot.assign(RequestState(CompletionRequest((1,) * 30, ENDLESS), 1))
    assert drafter.draft([slot], 2)[0].tokens == []
    assert context.n_read == 0
    drafter.observe([slot])
    assert drafter.draft([slot], 2)[0].tokens == []
    assert context.n_read == 16
    drafter.observe([slot])
    assert drafter.draft([slot], 2)[0].tokens == [0, 0]


def test_a_text_whose_prompt_was_shifted_out_is_read_only_for_drafts() -> None:
    context = CountingContext()
    drafter = make_draft_model(context)
    slot = Slot(0, 256)
    slot.assign(RequestState(CompletionRequest((1, 2, 3), ENDLESS), 1))
    assert slot.state
    slot.state.tokens += [4] * 10
    slot.state.remove(0, 5)
    drafter.observe([slot])
    assert context.n_read == 0
    assert drafter.draft([slot], 1)[0].tokens == [0]
    assert context.n_read == 8


def test_another_vocabulary_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.gguf"
    write_model(other, 500)
    with pytest.raises(ModelLoadError, match="the draft model cannot guess for this model: its vocabulary is of the"):
        load_engine(ContextOptions(n_threads=1), draft_options(other))


def test_the_engine_works_with_the_options_that_the_server_gives(float_model: Path) -> None:
    options = draft_options(BUNDLED_MODEL, spec_types=("ngram", "draft-simple"))
    context = ContextOptions(n_ctx=512, n_parallel=2, n_threads=1)
    runner = EngineRunner(load_engine(context, options, float_model))

    async def test() -> None:
        answers = await asyncio.gather(*(runner.complete(PROMPTS[n], ENDLESS, n_predict=100) for n in range(2)))
        assert all(len(answer.tokens) == 100 for answer in answers)
        assert all(status.speculates for status in runner.engine.slot_statuses())

    runner.run(test)
    runner.close()


def test_a_text_with_a_seed_gets_the_most_likely_tokens_and_another_one_such_that_are_drawn() -> None:
    params = SamplingParams(temperature=1.0, top_k=0, top_p=1.0, min_p=0.0)
    for sampling, is_drawn in ((params, True), (params.replace(seed=3), False), (params.replace(temperature=0), False)):
        slot = Slot(0, 256)
        slot.assign(RequestState(CompletionRequest((1,), sampling), 1))
        draft = make_draft_model(CountingContext()).draft([slot], 8)[0]
        assert len(draft) == 8
        assert [len(proposal.tokens) for proposal in draft.proposals] == ([MAX_CANDIDATES] * 8 if is_drawn else [])
        assert (set(draft.tokens) == {0}) == (not is_drawn)


def test_a_drawn_draft_is_not_dropped_for_ending_early() -> None:
    """Else whether its first tokens are used would depend on which they are."""
    slot = Slot(0, 256)
    slot.assign(RequestState(CompletionRequest((1,), SamplingParams(temperature=1.0)), 1))
    drafter = make_draft_model(CountingContext(), draft_p_min=0.5, draft_n_min=3)
    assert [len(drafter.draft([slot], n)[0]) for n in (2, 3, 8)] == [0, 3, 3]
