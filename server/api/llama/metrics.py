"""GET /metrics: the state of the server for Prometheus."""

from starlette.requests import Request
from starlette.responses import Response

from server.http.errors import ApiError
from server.state import get_engine, get_state


class NameInCapitals(bytes):
    """The name of a header as clients of llama.cpp look for it; uvicorn writes names in small letters."""

    def lower(self) -> "NameInCapitals":
        return self


async def get_metrics(request: Request) -> Response:
    state, engine = get_state(request), get_engine(request)
    if not state.settings.show_metrics:
        raise ApiError(501, "This server does not support metrics endpoint. Start it with `--metrics`")
    from server.metrics.exposition import CONTENT_TYPE, MetricsText  # noqa: PLC0415 - imported for the first scrape

    metrics: MetricsText | None = getattr(request.app.state, "metrics", None)
    if metrics is None:
        metrics = request.app.state.metrics = MetricsText(engine, state.http_stats, state.settings.alias)
    response = Response(metrics.render(), media_type=CONTENT_TYPE)
    response.raw_headers.append(
        (NameInCapitals(b"Process-Start-Time-Unix"), str(request.app.state.started_at).encode())
    )
    return response
