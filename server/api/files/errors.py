"""Errors in the shapes of LLM Engine and OpenAI at once: `{"detail": ..., "error": {...}}`."""

from server.http.errors import ApiError, api_error


class FileError(ApiError):
    def __init__(self, error: ApiError) -> None:
        super().__init__(error.status, str(error), field=error.field, headers=error.headers)

    def body(self) -> dict[str, object]:
        error = {"message": str(self), "type": self.error_type, "param": self.field, "code": None}
        return {"detail": str(self), "error": error}


def file_error(error: Exception) -> FileError:
    return FileError(api_error(error))


ERROR_SCHEMA = {
    "type": "object",
    "properties": {
        "detail": {"type": "string"},
        "error": {"type": "object", "properties": {"message": {"type": "string"}}, "required": ["message"]},
    },
    "required": ["detail", "error"],
}
