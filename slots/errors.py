"""What can go wrong between a request and its tokens, in the engine's terms."""


class EngineError(Exception):
    """Anything the engine refuses or fails at; the message is written for the person who sent the request."""


class InvalidRequest(EngineError):
    """A request that can never be served; `field` names what is wrong with it, as the dialects spell it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field


def require(condition: bool, field: str, expected: str, value: object) -> None:
    """Raises InvalidRequest unless the condition holds that the value of a field has to fulfil."""
    if not condition:
        raise InvalidRequest(field, f"expected {expected}, got {value!r}")


class PromptTooLong(InvalidRequest):
    """A prompt with more tokens than a slot has room for."""

    def __init__(self, n_prompt_tokens: int, n_ctx: int) -> None:
        super().__init__(
            "prompt", f"has {n_prompt_tokens} tokens, which is more than the context of a slot, {n_ctx} tokens"
        )
        self.n_prompt_tokens = n_prompt_tokens
        self.n_ctx = n_ctx


class QueueFull(EngineError):
    """All slots are busy and as many requests wait as may wait; the same request may succeed later."""


class ShuttingDown(EngineError):
    """The engine takes no more requests."""


class StepFailed(EngineError):
    """llama.cpp failed at a step this request was part of; other requests go on."""


class SnapshotError(EngineError):
    """The state of a sequence could not be taken out of the KV cache or put back into it."""


class ModelLoadError(Exception):
    """A model that cannot be loaded; the message is one sentence that says why."""
