"""GET /metrics: the state of the server for Prometheus."""

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from server.http.errors import ApiError
from server.state import get_engine, get_settings, get_state

if TYPE_CHECKING:
    from server.metrics.exposition import MetricsText


class NameInCapitals(bytes):
    """The name of a header as clients of llama.cpp look for it; uvicorn writes names in small letters."""

    def lower(self) -> "NameInCapitals":
        return self


async def get_metrics(request: Request) -> Response:
    """Raises ApiError (503) while the model loads."""
    if not get_settings(request).show_metrics:
        raise ApiError(501, "This server does not support metrics endpoint. Start it with `--metrics`")
    from server.metrics.exposition import CONTENT_TYPE  # noqa: PLC0415 - imported for the first scrape

    response = Response(_get_text(request).render(), media_type=CONTENT_TYPE)
    started_at = str(request.app.state.started_at).encode()
    response.raw_headers.append((NameInCapitals(b"Process-Start-Time-Unix"), started_at))
    return response


def _get_text(request: Request) -> "MetricsText":
    """Returns the one of the engine that runs; while the model sleeps, of the last one."""
    from server.metrics.exposition import MetricsText  # noqa: PLC0415 - as above

    state = get_state(request)
    if state.metrics is None or (state.engine is not None and not state.metrics.has_engine):
        state.metrics = MetricsText(get_engine(request), state.http_stats, state.settings.alias)
    return state.metrics
