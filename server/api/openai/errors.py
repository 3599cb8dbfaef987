"""Errors as OpenAI's clients expect them: the status chooses the class of the exception, the code says which error."""

from starlette.requests import Request
from starlette.types import Scope

from server.http.errors import ApiError, api_error
from slots.errors import PromptTooLong, QueueFull

PATHS = frozenset({"/chat/completions", "/embeddings", "/models"})
"""That are OpenAI's without the prefix as well."""
PREFIXES = ("/v1/", "/models/")
CODES = {401: "invalid_api_key", 404: "not_found", 429: "rate_limit_exceeded"}


class OpenAiError(ApiError):
    """An error in OpenAI's words: `{"error": {"message": ..., "type": ..., "param": ..., "code": ...}}`."""

    def __init__(self, error: ApiError, status: int, code: str | None) -> None:
        # The clients send everything from 500 on once more, unless they are told not to.
        headers = {"X-Should-Retry": "false"} if status == 501 else {}
        headers |= error.headers or {}
        super().__init__(status, str(error), field=error.field, details=error.details, headers=headers)
        self.code = code

    def body(self) -> dict[str, object]:
        kind = "rate_limit_error" if self.status == 429 else self.error_type
        return {"error": {"message": str(self), "type": kind, "param": self.field, "code": self.code, **self.details}}


def openai_error(error: Exception) -> OpenAiError:
    """Returns `error` as a client of OpenAI's may see it. A full queue is too many requests."""
    known = api_error(error)
    status = 429 if isinstance(error, QueueFull) else known.status
    code = "context_length_exceeded" if isinstance(error, PromptTooLong) else CODES.get(status)
    if status == 404 and known.field == "model":
        code = "model_not_found"
    return OpenAiError(known, status, code)


def use_openai_errors(request: Request) -> None:
    """From now on errors of this request are spelled as OpenAI's."""
    request.state.speaks_openai = True


def format_error(scope: Scope, error: Exception) -> ApiError:
    """Returns `error` in the dialect of the request that failed with it, which its path tells, or what was noted."""
    path: str = scope["path"]
    is_openai = path in PATHS or path.startswith(PREFIXES) or "speaks_openai" in scope.get("state", {})
    return openai_error(error) if is_openai else api_error(error)
