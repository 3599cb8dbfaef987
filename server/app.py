"""The Starlette application: every path and what stands in front of it."""

import time

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route

from server.auth import RequireApiKey
from server.completion import post_completion
from server.error_handlers import EXCEPTION_HANDLERS, UnexpectedErrors
from server.health import get_health
from server.models_list import get_models
from server.props import get_props
from server.session import Sessions
from server.slot_actions import post_slot
from server.slots_list import get_slots
from server.state import ServerState
from server.tokens import post_detokenize, post_tokenize

ROUTES = [
    Route("/completion", post_completion, methods=["POST"]),
    Route("/completions", post_completion, methods=["POST"]),
    Route("/tokenize", post_tokenize, methods=["POST"]),
    Route("/detokenize", post_detokenize, methods=["POST"]),
    Route("/health", get_health),
    Route("/v1/health", get_health),
    Route("/props", get_props),
    Route("/slots", get_slots),
    Route("/slots/{id_slot}", post_slot, methods=["POST"]),
    Route("/models", get_models),
    Route("/v1/models", get_models),
]


def create_app(state: ServerState) -> Starlette:
    """Returns the application; its endpoints answer 503 until `state` has an engine."""
    middleware = [
        Middleware(
            CORSMiddleware,
            allow_origins=["*"],
            allow_methods=["*"],
            allow_headers=["*"],
            allow_credentials=True,
            allow_private_network=True,
        ),
        Middleware(UnexpectedErrors),
    ]
    if state.settings.api_keys:
        middleware.append(Middleware(RequireApiKey, keys=state.settings.api_keys))
    app = Starlette(routes=ROUTES, middleware=middleware, exception_handlers=EXCEPTION_HANDLERS)
    app.router.redirect_slashes = False
    app.state.server = state
    app.state.sessions = Sessions()
    app.state.started_at = int(time.time())
    return app
