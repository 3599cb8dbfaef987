"""What one prompt of a request has been answered with so far."""

from dataclasses import dataclass, field

from server.prompt import Prompt
from slots.errors import InvalidRequest
from slots.events import Token, TokenProbabilities
from slots.request import CompletionRequest

MAX_CANDIDATES = 250_000
"""Of all positions of one answer together; a few hundred megabytes on their way to JSON."""


@dataclass(slots=True)
class Answer:
    """Grows with each token that the engine generates for the prompt."""

    index: int
    """The place of the prompt among those of its request."""
    prompt: Prompt
    request: CompletionRequest
    content: str = ""
    tokens: list[int] = field(default_factory=list)
    probabilities: list[TokenProbabilities] = field(default_factory=list)

    def add(self, token: Token) -> None:
        """Raises InvalidRequest when the most likely tokens of all positions grow beyond what an answer may hold."""
        self.content += token.text
        self.tokens.append(token.token)
        if token.probabilities is not None:
            self.probabilities.append(token.probabilities)
            n_probs = self.request.sampling.n_probs
            if len(self.probabilities) * n_probs > MAX_CANDIDATES:
                expected = f"expected at most {MAX_CANDIDATES} candidates in an answer that is not streamed"
                raise InvalidRequest("n_probs", f"{expected}, got {n_probs} for each of many tokens")
