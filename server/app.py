"""The Starlette application: every path and what stands in front of it."""

import time

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route

from server.api.embeddings.endpoint import embedding_endpoint
from server.api.embeddings.llama import read_either_embedding, read_embedding
from server.api.embeddings.openai import read_openai_embeddings
from server.api.embeddings.rerank import read_rerank
from server.api.llama.completion import read_completion
from server.api.llama.infill import read_infill
from server.api.llama.props import get_chat_status, get_health, get_props
from server.api.llama.slots import get_slots, post_slot
from server.api.llama.tokenize import post_apply_template, post_detokenize, post_tokenize
from server.api.openai.chat import read_openai_chat
from server.api.openai.completions import read_either_completion, read_openai_completion
from server.api.openai.models import get_model, get_models
from server.generation.endpoint import generation_endpoint
from server.http.auth import RequireApiKey
from server.http.exception_handlers import EXCEPTION_HANDLERS, CatchUnexpectedErrors
from server.http.session import Sessions
from server.state import ServerState

ROUTES = [
    Route("/completion", generation_endpoint(read_completion), methods=["POST"]),
    Route("/completions", generation_endpoint(read_either_completion), methods=["POST"]),
    Route("/v1/completions", generation_endpoint(read_openai_completion), methods=["POST"]),
    Route("/chat/completions", generation_endpoint(read_openai_chat, is_slow=True), methods=["POST"]),
    Route("/v1/chat/completions", generation_endpoint(read_openai_chat, is_slow=True), methods=["POST"]),
    Route("/infill", generation_endpoint(read_infill), methods=["POST"]),
    Route("/apply-template", post_apply_template, methods=["POST"]),
    Route("/embedding", embedding_endpoint(read_embedding), methods=["POST"]),
    Route("/embeddings", embedding_endpoint(read_either_embedding), methods=["POST"]),
    Route("/v1/embeddings", embedding_endpoint(read_openai_embeddings), methods=["POST"]),
    Route("/rerank", embedding_endpoint(read_rerank), methods=["POST"]),
    Route("/reranking", embedding_endpoint(read_rerank), methods=["POST"]),
    Route("/v1/rerank", embedding_endpoint(read_rerank), methods=["POST"]),
    Route("/v1/reranking", embedding_endpoint(read_rerank), methods=["POST"]),
    Route("/tokenize", post_tokenize, methods=["POST"]),
    Route("/detokenize", post_detokenize, methods=["POST"]),
    Route("/health", get_health),
    Route("/v1/health", get_health),
    Route("/props", get_props),
    Route("/slots", get_slots),
    Route("/slots/{id_slot}", post_slot, methods=["POST"]),
    Route("/models", get_models),
    Route("/v1/models", get_models),
    Route("/models/{id:path}", get_model),
    Route("/v1/models/{id:path}", get_model),
    Route("/chat", get_chat_status),
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
        Middleware(CatchUnexpectedErrors),
    ]
    if state.settings.api_keys:
        middleware.append(Middleware(RequireApiKey, keys=state.settings.api_keys))
    app = Starlette(routes=ROUTES, middleware=middleware, exception_handlers=EXCEPTION_HANDLERS)
    app.router.redirect_slashes = False
    app.state.server = state
    app.state.sessions = Sessions()
    app.state.started_at = int(time.time())
    return app
