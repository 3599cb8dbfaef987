"""What can go wrong between a request and its tokens, in the engine's terms."""


class EngineError(Exception):
    """Anything the engine refuses or fails at; the message is written for the person who sent the request."""


class InvalidRequest(EngineError):
    """A request that can never be served; `field` names what is wrong with it, as the dialects spell it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field


class PromptTooLong(InvalidRequest):
    """A prompt, or a text to embed, with more tokens than there is room for."""

    def __init__(
        self, n_prompt_tokens: int, n_ctx: int, field: str = "prompt", room: str = "the context of a slot"
    ) -> None:
        super().__init__(field, f"has {n_prompt_tokens} tokens, which is more than {room}, {n_ctx} tokens")
        self.n_prompt_tokens = n_prompt_tokens
        self.n_ctx = n_ctx


class NotSupported(EngineError):
    """What the engine does not do with this model, or was not started for."""


class QueueFull(EngineError):
    """All slots are busy and as many requests wait as may wait; the same request may succeed later."""


class ShuttingDown(EngineError):
    """The engine takes no more requests."""


class StepFailed(EngineError):
    """llama.cpp failed at a step this request was part of; other requests go on."""


def internal_error() -> StepFailed:
    """What a client may know of an error that nobody expected."""
    return StepFailed("an internal error ended the generation")


class UnbrokenTextError(ValueError):
    """A text with a stretch without a break that is too long for llama.cpp's tokenizers."""


class SnapshotError(EngineError):
    """The state of a sequence could not be taken out of the KV cache or put back into it."""


class ModelLoadError(Exception):
    """A model that cannot be loaded; the message is one sentence that says why."""


class CannotGenerate(ModelLoadError):
    """A model that computes embeddings and generates no text."""
