"""The Starlette application: the endpoints of all dialects, and the middleware before them."""

import time

from starlette.applications import Starlette
from starlette.middleware import Middleware

from server.api.dialects import DIALECTS
from server.api.docs_page.endpoint import DOCS_ENDPOINTS
from server.api.openai.responses.store import ResponseStore
from server.api.openapi import openapi_endpoint
from server.http.auth import RequireApiKey
from server.http.body import BodyLimit
from server.http.cors import Cors
from server.http.dialect import Endpoint, make_routes
from server.http.error_format import ErrorFormats
from server.http.exception_handlers import EXCEPTION_HANDLERS, CatchUnexpectedErrors
from server.http.prefix import StripPrefix
from server.http.request_log import RequestLog
from server.http.request_tracking import TrackRequests
from server.http.session import Sessions
from server.sleep import WakeForRequests
from server.state import ServerState, max_file_bytes
from server.ui.page import with_page

ENDPOINTS = (
    *(endpoint for dialect in DIALECTS for endpoint in dialect.endpoints),
    Endpoint("/openapi.json", openapi_endpoint(DIALECTS), "This description"),
    *DOCS_ENDPOINTS,
)
ASLEEP_ENDPOINTS = {endpoint.path: endpoint for endpoint in ENDPOINTS if endpoint.while_asleep}
"""Those that answer while the model is unloaded, by path."""


def create_app(state: ServerState) -> Starlette:
    """Returns the application; its endpoints answer 503 until `state` has an engine."""
    settings = state.settings
    endpoints = with_page(ENDPOINTS) if settings.show_ui else ENDPOINTS
    request_log = RequestLog(settings.alias, shows_texts=settings.log_prompts)
    middleware = [
        Middleware(TrackRequests, observers=(state.http_stats.count, request_log.write, *state.observers)),
        Middleware(
            Cors,
            origins=settings.cors_origins,
            methods=settings.cors_methods,
            headers=settings.cors_headers,
            credentials=settings.cors_credentials,
        ),
    ]
    if settings.api_prefix:
        middleware.append(Middleware(StripPrefix, prefix=settings.api_prefix))
    middleware.append(Middleware(CatchUnexpectedErrors))
    if settings.api_keys:
        middleware.append(Middleware(RequireApiKey, keys=settings.api_keys, endpoints=endpoints))
    if settings.sleep_idle_seconds > 0:
        middleware.append(Middleware(WakeForRequests, state=state, endpoints=ASLEEP_ENDPOINTS))
    app = Starlette(routes=make_routes(endpoints), middleware=middleware, exception_handlers=EXCEPTION_HANDLERS)
    app.router.redirect_slashes = False
    app.state.server = state
    app.state.sessions = Sessions()
    app.state.responses = ResponseStore()
    app.state.error_formats = ErrorFormats(DIALECTS)
    app.state.body_limit = BodyLimit(lambda: max_file_bytes(state))
    app.state.started_at = int(time.time())
    return app
