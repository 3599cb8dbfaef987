"""Reasoning budget: from the options of a chat to the tokens that end its thoughts."""

from server.chat.tools.reasoning import ReasoningTags
from server.options.generation_options import GenerationOptions
from slots.errors import InvalidRequest
from slots.llama import Vocab
from slots.requests.reasoning_budget import ReasoningBudget


def make_reasoning_budget(
    options: GenerationOptions, defaults: GenerationOptions, tags: ReasoningTags | None, vocab: Vocab
) -> ReasoningBudget | None:
    """Returns the budget that the options set, or else the server's `defaults`, for thoughts within `tags`; None
    without either. Raises InvalidRequest for a message that would end the thoughts itself."""
    n_tokens = options.reasoning_budget_tokens
    if n_tokens < 0:
        n_tokens = defaults.reasoning_budget_tokens
    if n_tokens < 0 or tags is None:
        return None
    message = options.reasoning_budget_message
    if tags.end in message:
        raise InvalidRequest("reasoning_budget_message", f"expected a text without {tags.end}, which ends the thoughts")
    closing = (*_text_tokens(message, vocab), *vocab.tokenize_plain(tags.end, add_special=False, parse_special=True))
    return ReasoningBudget(n_tokens, tags.start.encode(), tags.end.encode(), closing, tags.is_open)


def _text_tokens(message: str, vocab: Vocab) -> list[int]:
    """Returns the tokens of a text that follows another, without control tokens."""
    return vocab.tokenize_plain(message, add_special=False, parse_special=False) if message else []
