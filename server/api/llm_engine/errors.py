"""Errors in LLM Engine's shape. Its client chooses the class of the exception by the status."""

from datetime import UTC, datetime

from server.http.errors import ApiError, api_error
from slots.errors import QueueFull


class LlmEngineError(ApiError):
    """Formatted as `{"detail": ...}`."""

    def __init__(self, error: ApiError, status: int, request_id: str = "") -> None:
        """`request_id` is that of the stream that fails, if one does."""
        super().__init__(status, str(error), field=error.field, headers=error.headers)
        self.request_id = request_id

    def body(self) -> dict[str, object]:
        return {"detail": str(self)}

    def event(self) -> dict[str, object]:
        content = {"error": str(self), "timestamp": datetime.now(UTC).isoformat()}
        error = {"status_code": self.status, "content": content}
        return {"request_id": self.request_id, "output": None, "error": error}


def llm_engine_error(error: Exception, request_id: str = "") -> LlmEngineError:
    """Returns `error` in LLM Engine's shape. A full queue is "too many requests"."""
    known = api_error(error)
    return LlmEngineError(known, 429 if isinstance(error, QueueFull) else known.status, request_id)


ERROR_SCHEMA = {"type": "object", "properties": {"detail": {"type": "string"}}, "required": ["detail"]}
