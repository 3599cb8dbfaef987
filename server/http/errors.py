"""ApiError: an error as clients get it, as llama.cpp does: `{"error": {"code": ..., "message": ..., "type": ...}}`."""

from collections.abc import Mapping

from server.http.json_response import JsonResponse
from server.http.request_record import current_record
from slots.errors import (
    AdapterNotFound,
    EngineError,
    InvalidRequest,
    NotSupported,
    PromptTooLong,
    QueueFull,
    ShuttingDown,
)

RETRY_AFTER_SECONDS = 1

TYPES = {
    401: "authentication_error",
    404: "not_found_error",
    501: "not_supported_error",
    503: "unavailable_error",
}


TOO_LONG = "exceed_context_size_error"
"""The type of error by which clients know that they have to shorten a conversation."""


class ApiError(Exception):
    def __init__(
        self,
        status: int,
        message: str,
        *,
        field: str | None = None,
        error_type: str | None = None,
        details: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.field = field
        """The field of the request that is wrong."""
        self.error_type = error_type or _error_type(status)
        """The `type` of the error in a response."""
        self.details = details or {}
        self.headers = headers

    def body(self) -> dict[str, object]:
        error = {"code": self.status, "message": str(self), "type": self.error_type, **self.details}
        return {"error": error, **request_id_member()}

    def event(self) -> dict[str, object]:
        """Returns the last event of a stream that fails midway."""
        return self.body()

    def response(self) -> JsonResponse:
        return JsonResponse(self.body(), self.status, self.headers)


def request_id_member() -> dict[str, object]:
    """Returns the member of an error by which the log can be searched for its request."""
    record = current_record()
    return {"request_id": record.request_id} if record else {}


def _error_type(status: int) -> str:
    return TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")


def api_error(error: Exception) -> ApiError:
    """Returns `error` as a client may see it: errors of the engine with their message, unexpected ones without
    details."""
    match error:
        case ApiError():
            return error
        case PromptTooLong():
            counts = {"n_prompt_tokens": error.n_prompt_tokens, "n_ctx": error.n_ctx}
            return ApiError(400, str(error), field=error.field, error_type=TOO_LONG, details=counts)
        case AdapterNotFound():
            return ApiError(404, str(error), field=error.field)
        case InvalidRequest():
            return ApiError(400, str(error), field=error.field)
        case NotSupported():
            return ApiError(501, str(error))
        case QueueFull():
            return ApiError(503, str(error), headers={"Retry-After": str(RETRY_AFTER_SECONDS)})
        case ShuttingDown():
            return ApiError(503, str(error))
        case EngineError():
            return ApiError(500, str(error))
        case _:
            return ApiError(500, "something went wrong inside the server; its log says what")


ERROR_SCHEMA = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {"code": {"type": "integer"}, "message": {"type": "string"}, "type": {"type": "string"}},
            "required": ["code", "message", "type"],
        },
        "request_id": {"type": "string"},
    },
    "required": ["error"],
}
