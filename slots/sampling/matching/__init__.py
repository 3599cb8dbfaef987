"""Matching: what says, token by token, which ones a request may have next: its grammar, the budget of its thoughts."""

from slots.llama import Vocab
from slots.requests.request import CompletionRequest
from slots.sampling.matching.budget_matcher import BudgetMatcher
from slots.sampling.matching.token_matcher import TokenMatcher


def make_matcher(request: CompletionRequest, vocab: Vocab) -> TokenMatcher | None:
    """Returns the state of a request in its grammar and in the budget of its thoughts; None if it has neither."""
    grammar = request.grammar.matcher() if request.grammar else None
    if request.reasoning_budget is None:
        return grammar
    return BudgetMatcher(request.reasoning_budget, grammar, vocab.n_tokens, vocab.piece)
