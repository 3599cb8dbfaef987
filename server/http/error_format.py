"""format_error: an error in the shape of the dialect that the request speaks."""

from collections.abc import Iterable

from starlette.requests import Request
from starlette.types import Scope

from server.http.dialect import Dialect, ErrorFormat
from server.http.errors import ApiError, api_error
from server.http.request_record import current_record


class ErrorFormats:
    """The shapes of errors by path; llama.cpp's where no dialect says otherwise."""

    def __init__(self, dialects: Iterable[Dialect]) -> None:
        self._by_path: dict[str, ErrorFormat] = {}
        by_prefix: list[tuple[str, ErrorFormat]] = []
        for dialect in dialects:
            self._by_path |= {endpoint.path: dialect.format_error for endpoint in dialect.endpoints}
            by_prefix += [(prefix, dialect.format_error) for prefix in dialect.prefixes]
        self._by_prefix = sorted(by_prefix, key=lambda item: -len(item[0]))

    def find(self, path: str) -> ErrorFormat:
        """Returns the shape for the endpoint at `path`, else for the longest prefix of it."""
        prefixed = (error_format for prefix, error_format in self._by_prefix if path.startswith(prefix))
        return self._by_path.get(path) or next(prefixed, api_error)


def use_error_format(request: Request, error_format: ErrorFormat) -> None:
    """Formats later errors of this request so, whatever its path."""
    request.state.error_format = error_format


def format_error(scope: Scope, error: Exception) -> ApiError:
    """Returns `error` in the shape that was set for the request, else in the one of its path."""
    error_format: ErrorFormat | None = scope.get("state", {}).get("error_format")
    if error_format is None and "app" in scope:
        error_format = scope["app"].state.error_formats.find(scope["path"])
    formatted = (error_format or api_error)(error)
    if record := current_record():
        record.error = formatted
    return formatted
