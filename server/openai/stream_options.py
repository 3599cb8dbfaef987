"""How a stream of OpenAI's ends."""

from server.http.fields import Fields, expected, read_boolean

DONE = b"data: [DONE]\n\n"
"""The last event."""


def wants_usage(fields: Fields) -> bool:
    """Returns whether a stream is to end with what it took. Raises InvalidRequest, which names the field."""
    options = fields.get("stream_options")
    if options is None:
        return False
    if not isinstance(options, dict):
        raise expected("stream_options", "an object with include_usage", options)
    return read_boolean(
        {"stream_options.include_usage": options.get("include_usage")}, "stream_options.include_usage", False
    )
