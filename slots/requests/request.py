"""Completion request: validated, immutable, and independent of any HTTP dialect."""

from collections.abc import Container
from typing import Annotated, Any

from pydantic import AfterValidator, SkipValidation

from grammar.matcher import CompiledGrammar
from slots.requests.adapters import NO_ADAPTERS, AdapterSet
from slots.requests.completion_params import CompletionParams
from slots.requests.media import RequestMedia
from slots.requests.params import expected
from slots.requests.reasoning_budget import ReasoningBudget
from slots.requests.sampling_params import SamplingParams
from slots.requests.scope import CacheScope


def _check_prompt(prompt: tuple[int, ...]) -> tuple[int, ...]:
    if not prompt:
        raise expected("at least one token", got="none")
    return prompt


class CompletionRequest(CompletionParams):
    """One prompt to complete. Raises InvalidRequest, which names the field, for a value out of range."""

    prompt: Annotated[SkipValidation[tuple[int, ...]], AfterValidator(_check_prompt)]
    """Tokens, and pseudo-tokens for the cells of media, which are negative."""
    media: SkipValidation[RequestMedia | None] = None
    """The media in the prompt."""
    prompt_name: str = "prompt"
    """What error messages call the prompt."""
    sampling: SkipValidation[SamplingParams]
    session: str | None = None
    """Identifies a conversation: an idle slot that served this session last is preferred."""
    scope: SkipValidation[CacheScope] = CacheScope()
    adapters: SkipValidation[AdapterSet] = NO_ADAPTERS
    """LoRA adapters to compute it with."""
    grammar: SkipValidation[CompiledGrammar | None] = None
    reasoning_budget: SkipValidation[ReasoningBudget | None] = None
    ends_within_character: bool = False
    """End at exactly `n_predict` tokens, even if a character is incomplete then, instead of after the character."""
    reports_progress: bool = False
    """Report its place in the queue and the progress of its prompt."""
    is_streamed: bool = True
    """Report every token at once, instead of many together, which costs less."""
    preserved_tokens: SkipValidation[Container[int]] = frozenset()
    """Control tokens that are spelled out in the text; all others are left out."""

    @property
    def allows_drafts(self) -> bool:
        """Whether tokens may be drafted: the draft model has no media, and n-grams are not looked for among them."""
        return self.n_draft != 0 and self.media is None

    def __init__(self, prompt: tuple[int, ...], sampling: SamplingParams | None = None, **options: Any) -> None:  # noqa: ANN401
        super().__init__(prompt=prompt, sampling=sampling or SamplingParams(), **options)  # type: ignore[call-arg]
