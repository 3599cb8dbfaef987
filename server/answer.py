"""What one prompt of a request has been answered with so far."""

from dataclasses import dataclass, field

from server.prompt import Prompt
from slots.events import Token, TokenProbabilities
from slots.request import CompletionRequest


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
        self.content += token.text
        self.tokens.append(token.token)
        if token.probabilities is not None:
            self.probabilities.append(token.probabilities)
