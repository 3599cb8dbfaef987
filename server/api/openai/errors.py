"""Errors in OpenAI's shape. Clients choose the class of the exception by the status; the code says more."""

from server.http.errors import ApiError, api_error, request_id_member
from slots.errors import PromptTooLong, QueueFull

CODES = {401: "invalid_api_key", 404: "not_found", 429: "rate_limit_exceeded"}


class OpenAiError(ApiError):
    """Formatted as `{"error": {"message": ..., "type": ..., "param": ..., "code": ...}}`."""

    def __init__(self, error: ApiError, status: int, code: str | None) -> None:
        # Clients retry everything from 500 on, unless this header forbids it.
        headers = {"X-Should-Retry": "false"} if status == 501 else {}
        headers |= error.headers or {}
        kind = "rate_limit_error" if status == 429 else error.error_type
        super().__init__(status, str(error), field=error.field, error_type=kind, details=error.details, headers=headers)
        self.code = code

    def body(self) -> dict[str, object]:
        members = {"message": str(self), "type": self.error_type, "param": self.field, "code": self.code}
        return {"error": {**members, **self.details}, **request_id_member()}


def openai_error(error: Exception) -> OpenAiError:
    """Returns `error` in OpenAI's shape. A full queue is "too many requests"."""
    known = api_error(error)
    status = 429 if isinstance(error, QueueFull) else known.status
    code = "context_length_exceeded" if isinstance(error, PromptTooLong) else CODES.get(status)
    if status == 404 and known.field == "model":
        code = "model_not_found"
    return OpenAiError(known, status, code)


ERROR_SCHEMA = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
            "required": ["message", "type", "param", "code"],
        },
        "request_id": {"type": "string"},
    },
    "required": ["error"],
}
