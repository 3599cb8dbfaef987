"""Errors of the engine, independent of any HTTP dialect."""


class EngineError(Exception):
    """Base of what the engine refuses or fails at. The message is written for the client."""


class InvalidRequest(EngineError):
    """A request that can never be served. `field` is the name of the wrong option, as the dialects spell it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field


class PromptTooLong(InvalidRequest):
    """A prompt, or a text to embed, with too many tokens."""

    def __init__(self, n_prompt_tokens: int, n_ctx: int, field: str = "prompt", message: str | None = None) -> None:
        """`message` says what is exceeded; by default it is the context of a slot, in llama.cpp's words."""
        exceeds = f"request ({n_prompt_tokens} tokens) exceeds the available context size ({n_ctx} tokens)"
        super().__init__(field, message or f"{exceeds}, try increasing it")
        self.n_prompt_tokens = n_prompt_tokens
        self.n_ctx = n_ctx


class AdapterNotFound(InvalidRequest):
    """A LoRA adapter that is not loaded, or about to be unloaded."""


class NotSupported(EngineError):
    """What the engine cannot do with this model or with its options."""


class QueueFull(EngineError):
    """All slots are busy and the queue is full; the same request may succeed later."""


class ShuttingDown(EngineError):
    """The engine takes no more requests."""


class StepFailed(EngineError):
    """llama.cpp failed in a step with this request; other requests are not affected."""


def internal_error() -> StepFailed:
    """Returns what a client is told about an unexpected error."""
    return StepFailed("an internal error ended the generation")


class UnbrokenTextError(ValueError):
    """A text with a stretch without a break that is too long for llama.cpp's tokenizers."""


class SnapshotError(EngineError):
    """The state of a sequence could not be saved from the KV cache, or restored to it."""


class ModelLoadError(Exception):
    """A model that cannot be loaded. The message is one sentence that says why."""


class CannotGenerate(ModelLoadError):
    """A model that only computes embeddings."""
