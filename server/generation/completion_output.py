"""What one prompt of a request has been answered with so far."""

from dataclasses import dataclass, field

from server.generation.prompts import Prompt
from slots.errors import InvalidRequest
from slots.requests.events import PositionLogprobs, Token
from slots.requests.request import CompletionRequest

MAX_CANDIDATES = 250_000
"""Of all positions of one answer together; a few hundred megabytes on their way to JSON."""
MAX_TOKENS = 2_000_000
"""Of one answer. Where contexts are shifted, a generation need not come to an end."""


@dataclass(slots=True)
class CompletionOutput:
    """Grows with each token that the engine generates for the prompt, as far as nobody takes them along."""

    index: int
    """The place of the prompt among those of its request."""
    prompt: Prompt
    request: CompletionRequest
    n_prompt_tokens: int = 0
    """Those that are evaluated, once the engine has taken the request."""
    n_tokens: int = 0
    content: str = ""
    tokens: list[int] = field(default_factory=list)
    logprobs: list[PositionLogprobs] = field(default_factory=list)

    def append(self, token: Token) -> None:
        """Raises InvalidRequest when there are more tokens, or likely tokens of all positions, than an answer may
        hold."""
        self.n_tokens += 1
        self.content += token.text
        self.tokens.append(token.token)
        if len(self.tokens) > MAX_TOKENS:
            raise InvalidRequest("n_predict", f"expected at most {MAX_TOKENS} tokens in an answer that is not streamed")
        if token.logprobs is not None:
            self.logprobs.append(token.logprobs)
            n_probs = self.request.sampling.n_probs
            if len(self.logprobs) * n_probs > MAX_CANDIDATES:
                expected = f"expected at most {MAX_CANDIDATES} candidates in an answer that is not streamed"
                raise InvalidRequest("n_probs", f"{expected}, got {n_probs} for each of many tokens")

    def clear(self) -> None:
        """Forgets what was generated so far, but not how much that was."""
        self.content = ""
        self.tokens.clear()
        self.logprobs.clear()
