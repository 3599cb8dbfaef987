"""Context shifts and long prompts leave media whole; drafts and penalties do not see them."""

import pytest

from slots.errors import PromptTooLong
from slots.options import EngineOptions, SpeculationOptions
from slots.requests.sampling_params import SamplingParams
from tests.slots.multimodal.media_files import BLUE, GREEN, RED, png
from tests.slots.multimodal.media_runner import media_runner
from tests.slots.multimodal.projectors import MROPE, needs_tools

pytestmark = needs_tools

STORY = "Once upon a time there was a house"
ENDLESS = SamplingParams(temperature=0.0, ignore_eos=True)


@pytest.mark.parametrize("kind", ["janus_pro", "gemma3", MROPE])
def test_a_shift_discards_pictures_whole(kind: str) -> None:
    options = EngineOptions(context_shift=True)
    with media_runner(kind, options, n_ctx=256, n_parallel=1) as runner:

        async def test() -> None:
            pieces = (STORY, png(RED), STORY, png(BLUE), STORY, png(GREEN), STORY)
            done = await runner.complete(*pieces, n_predict=400, sampling=ENDLESS, n_keep=20)
            assert (len(done.tokens), done.finished.truncated) == (400, True)
            again = await runner.complete(STORY, png(RED), STORY, n_predict=4, cache_prompt=False)
            assert len(again.tokens) == 4

        runner.runner.run(test)


def test_a_prompt_that_is_too_long_loses_pictures_whole() -> None:
    with media_runner("janus_pro", EngineOptions(context_shift=True), n_ctx=256, n_parallel=1) as runner:

        async def test() -> None:
            pieces = [piece for colour in range(20) for piece in (STORY, png((colour, 0, 0)))]
            done = await runner.complete(*pieces, STORY, n_predict=4)
            assert done.finished.truncated
            assert done.finished.n_prompt_tokens <= 256

        runner.runner.run(test)


def test_without_a_shift_it_is_refused() -> None:
    with media_runner("janus_pro", n_ctx=256, n_parallel=1) as runner:

        async def test() -> None:
            with pytest.raises(PromptTooLong):
                await runner.complete(*[png((colour, 0, 0)) for colour in range(20)])

        runner.runner.run(test)


def test_drafts_are_not_made_of_a_text_with_pictures() -> None:
    options = EngineOptions(speculation=SpeculationOptions(spec_types=("ngram",)))
    with media_runner("janus_pro", options) as runner:

        async def test() -> None:
            pieces = (STORY, png(RED), "a b c d e f g a b c d e f g a b c d e f g a b c")
            done = await runner.complete(*pieces, n_predict=32, sampling=ENDLESS)
            assert (len(done.tokens), done.finished.timings.draft_n) == (32, 0)

        runner.runner.run(test)


def test_samplers_that_look_back_see_the_text_alone() -> None:
    sampling = SamplingParams(temperature=0.0, repeat_penalty=1.3, repeat_last_n=-1, dry_multiplier=0.8)
    with media_runner("janus_pro") as runner:

        async def test() -> None:
            done = await runner.complete(STORY, png(RED), STORY, n_predict=16, sampling=sampling)
            assert len(done.tokens) == 16

        runner.runner.run(test)
