"""CompletionOutput: what was generated for one prompt so far. Timings and progress as JSON."""

from dataclasses import dataclass, field

from server.generation.prompts import Prompt
from slots.errors import InvalidRequest
from slots.requests.events import PositionLogprobs, Progress, QueuePlace, Timings, Token
from slots.requests.request import CompletionRequest

MAX_CANDIDATES = 250_000
"""Of all positions of one output; a few hundred megabytes on their way to JSON."""
MAX_TOKENS = 2_000_000
"""Of one output. With context shift, a generation need not end."""


@dataclass(slots=True)
class CompletionOutput:
    index: int
    """Position among the outputs of the request."""
    prompt: Prompt
    request: CompletionRequest
    n_prompt_tokens: int = 0
    """Known once the engine has taken the request."""
    n_tokens: int = 0
    content: str = ""
    tokens: list[int] = field(default_factory=list)
    logprobs: list[PositionLogprobs] = field(default_factory=list)
    logged_parts: list[str] | None = None
    """The text for the log; None if the log has no texts."""

    def count(self, token: Token) -> None:
        """Count a token of a stream, which is not kept: its event has it."""
        self.n_tokens += 1
        if self.logged_parts is not None:
            self.logged_parts.append(token.text)

    def append(self, token: Token) -> None:
        """Raises InvalidRequest when there are more tokens, or candidates of all positions, than an output may hold."""
        self.count(token)
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

    @property
    def logged_texts(self) -> tuple[str, str] | None:
        """The prompt and the text for the log; None if it has no texts."""
        return None if self.logged_parts is None else (str(self.prompt.original), "".join(self.logged_parts))


def timings_json(timings: Timings) -> dict[str, float]:
    """Returns token counts, milliseconds and tokens per second; counts of drafted tokens only if there were any."""
    drafted = {"draft_n": timings.draft_n, "draft_n_accepted": timings.draft_n_accepted} if timings.draft_n else {}
    return {
        "cache_n": timings.cached_n,
        "prompt_n": timings.prompt_n,
        "prompt_ms": timings.prompt_ms,
        "prompt_per_token_ms": _per_token(timings.prompt_ms, timings.prompt_n),
        "prompt_per_second": timings.prompt_per_second,
        "predicted_n": timings.predicted_n,
        "predicted_ms": timings.predicted_ms,
        "predicted_per_token_ms": _per_token(timings.predicted_ms, timings.n_predicted_steps),
        "predicted_per_second": timings.predicted_per_second,
        **drafted,
    }


def progress_json(progress: Progress) -> dict[str, object]:
    """Returns the members of an event that tell the place in the queue, or the progress of the prompt as llama.cpp's
    server does."""
    if isinstance(progress, QueuePlace):
        return {"queue": {"position": progress.position, "waiting_ms": round(progress.waiting_ms)}}
    counts = {"total": progress.total, "cache": progress.cached, "processed": progress.processed}
    timings = {"timings": timings_json(progress.timings)} if progress.timings else {}
    return {"prompt_progress": {**counts, "time_ms": round(progress.time_ms)}, **timings}


def _per_token(milliseconds: float, n_tokens: int) -> float:
    return milliseconds / n_tokens if n_tokens else 0.0
