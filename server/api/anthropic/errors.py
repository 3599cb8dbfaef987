"""Errors in Anthropic's shape. Its client chooses the class of the exception by the status."""

from server.http.errors import ApiError, api_error, request_id_member
from slots.errors import PromptTooLong, QueueFull

OVERLOADED = 529
"""What Anthropic's API answers while it has no room for a request. Clients take it for "the same may succeed later", as
they do a 503, which stands for a server that cannot answer anybody now: its model loads, or it stops."""
TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    OVERLOADED: "overloaded_error",
}


class AnthropicError(ApiError):
    """Formatted as `{"type": "error", "error": {"type": ..., "message": ...}}`."""

    def body(self) -> dict[str, object]:
        kind = TYPES.get(self.status, "invalid_request_error" if self.status < 500 else "api_error")
        return {"type": "error", "error": {"type": kind, "message": str(self)}, **request_id_member()}


def anthropic_error(error: Exception) -> AnthropicError:
    """Returns `error` in Anthropic's shape. What is not supported is an invalid request, since the API has no status
    for it and clients send again what failed with 500 or more."""
    known = api_error(error)
    status = OVERLOADED if isinstance(error, QueueFull) else 400 if known.status == 501 else known.status
    message = str(known)
    if isinstance(error, PromptTooLong):
        # Agents look for these words, and make their conversation shorter.
        message = f"prompt is too long: {error.n_prompt_tokens} tokens > {error.n_ctx} maximum"
    return AnthropicError(status, message, field=known.field, headers=known.headers)


ERROR_SCHEMA = {
    "type": "object",
    "properties": {
        "type": {"const": "error"},
        "error": {
            "type": "object",
            "properties": {"type": {"type": "string"}, "message": {"type": "string"}},
            "required": ["type", "message"],
        },
        "request_id": {"type": "string"},
    },
    "required": ["type", "error"],
}
