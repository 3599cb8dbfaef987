"""Errors in Ollama's shape, which is one text. Its clients raise a ResponseError with the status."""

from server.http.errors import ApiError, api_error


class OllamaError(ApiError):
    """Formatted as `{"error": ...}`."""

    def body(self) -> dict[str, object]:
        return {"error": str(self)}


def ollama_error(error: Exception) -> OllamaError:
    """Returns `error` in Ollama's shape."""
    known = api_error(error)
    return OllamaError(known.status, str(known), field=known.field, headers=known.headers)


ERROR_SCHEMA = {
    "type": "object",
    "properties": {"error": {"type": "string"}},
    "required": ["error"],
}
