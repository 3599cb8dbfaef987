"""Errors as aiXplain's SDK reads them, from whatever it asks for: a run, a poll, a stream or a model."""

from server.http.errors import ApiError, api_error


class AixplainError(ApiError):
    """Formatted as `{"status": "FAILED", "completed": true, "error": ..., "error_message": ..., "data": ...}`, with the
    same text three times. Runs show `error`; polls end at `completed`, and show `error_message`; and streams of the
    SDK's first version, which looks at no status, show `data`."""

    def body(self) -> dict[str, object]:
        message = str(self)
        return {
            "status": "FAILED",
            "completed": True,
            "error": message,
            "error_message": message,
            "data": message,
            **self.details,
        }


def aixplain_error(error: Exception) -> AixplainError:
    """Returns `error` in aiXplain's shape."""
    known = api_error(error)
    return AixplainError(known.status, str(known), field=known.field, details=known.details, headers=known.headers)


_TEXT = {"type": "string"}
ERROR_SCHEMA = {
    "type": "object",
    "properties": {
        "status": {"const": "FAILED"},
        "completed": {"const": True},
        "error": _TEXT,
        "error_message": _TEXT,
        "data": _TEXT,
    },
    "required": ["status", "completed", "error", "error_message", "data"],
}
