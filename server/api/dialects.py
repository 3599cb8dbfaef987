"""DIALECTS: every HTTP API that the server speaks, and the paths that two of them share."""

from starlette.requests import Request

from server.api.aixplain.dialect import AIXPLAIN
from server.api.anthropic.dialect import ANTHROPIC
from server.api.embeddings.endpoint import EmbeddingQuery, embedding_endpoint
from server.api.embeddings.llama import read_embedding
from server.api.embeddings.ollama import post_ollama_embed, post_ollama_embeddings
from server.api.embeddings.openai import read_openai_embeddings
from server.api.embeddings.protocol import (
    EmbeddingRequestBody,
    OllamaEmbedBody,
    OllamaEmbeddingsBody,
    OpenAiEmbeddingRequestBody,
    RerankRequestBody,
)
from server.api.embeddings.rerank import read_rerank
from server.api.files.dialect import FILES
from server.api.llama.completion import read_completion
from server.api.llama.dialect import LLAMA
from server.api.llama.health import get_health
from server.api.llama.protocol import CompletionRequestBody
from server.api.llm_engine.dialect import LLM_ENGINE
from server.api.ollama.dialect import OLLAMA
from server.api.openai.completions import read_openai_completion
from server.api.openai.dialect import OPENAI
from server.api.openai.errors import openai_error
from server.api.openai.protocol import OpenAiCompletionRequestBody
from server.generation.endpoint import ParsedRequest, generation_endpoint
from server.http.dialect import Endpoint
from server.http.error_format import use_error_format
from server.http.fields import Fields
from server.settings import Settings
from slots.engine import Engine


def read_shared_completion(request: Request, fields: Fields) -> ParsedRequest:
    """Reads a body of /completions: OpenAI's if it names a model, as their clients always do, else llama.cpp's."""
    if fields.get("model") is None:
        return read_completion(request, fields)
    use_error_format(request, openai_error)
    return read_openai_completion(request, fields)


def read_shared_embeddings(fields: Fields, engine: Engine, settings: Settings) -> EmbeddingQuery:
    """Reads a body of /embeddings: llama.cpp's if it has `content`, else OpenAI's."""
    is_llama = fields.get("content") is not None
    return (read_embedding if is_llama else read_openai_embeddings)(fields, engine, settings)


_embedding = embedding_endpoint(read_embedding)
_openai_embeddings = embedding_endpoint(read_openai_embeddings)
_rerank = embedding_endpoint(read_rerank)

DIALECTS = (
    LLAMA.with_endpoints(
        Endpoint(
            "/completions",
            generation_endpoint(read_shared_completion),
            "Continue a text, in llama.cpp's dialect, or in OpenAI's if the body names a model",
            (CompletionRequestBody, OpenAiCompletionRequestBody),
        ),
        Endpoint("/embedding", _embedding, "Embed texts", EmbeddingRequestBody),
        Endpoint("/rerank", _rerank, "Rank texts by their relevance to a query", RerankRequestBody),
        Endpoint("/reranking", _rerank, "Rank texts by their relevance to a query", RerankRequestBody),
    ),
    OPENAI.with_endpoints(
        Endpoint(
            "/embeddings",
            embedding_endpoint(read_shared_embeddings),
            "Embed texts, in OpenAI's dialect, or in llama.cpp's if the body has `content`",
            (OpenAiEmbeddingRequestBody, EmbeddingRequestBody),
        ),
        Endpoint("/v1/embeddings", _openai_embeddings, "Embed texts", OpenAiEmbeddingRequestBody),
        Endpoint("/v1/rerank", _rerank, "Rank texts by their relevance to a query", RerankRequestBody),
        Endpoint("/v1/reranking", _rerank, "Rank texts by their relevance to a query", RerankRequestBody),
        Endpoint("/v1/health", get_health, "Whether the server takes requests and works on them", needs_key=False),
    ),
    ANTHROPIC,
    OLLAMA.with_endpoints(
        Endpoint("/api/embed", post_ollama_embed, "Embed texts", OllamaEmbedBody),
        Endpoint("/api/embeddings", post_ollama_embeddings, "Embed a text", OllamaEmbeddingsBody),
    ),
    LLM_ENGINE,
    FILES,
    AIXPLAIN,
)
