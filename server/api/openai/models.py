"""GET /v1/models and /v1/models/{id}: the one model of this server, as OpenAI and Ollama list models."""

from datetime import UTC, datetime
from typing import cast

from starlette.requests import Request

from models.units import human_count
from server.http.errors import ApiError
from server.http.json_response import JsonResponse
from server.options.lora import find_adapter
from server.state import get_engine, get_settings
from slots.engine import Engine
from slots.engine.adapters import Adapter


async def get_models(request: Request) -> JsonResponse:
    """Lists the model, then its LoRA adapters as models whose parent it is."""
    adapters = get_engine(request).adapters.loaded
    models = [_ollama_json(request), *(_ollama_adapter_json(request, adapter) for adapter in adapters)]
    data = [_model_json(request), *(_adapter_json(request, adapter) for adapter in adapters)]
    return JsonResponse({"models": models, "object": "list", "data": data})


async def get_model(request: Request) -> JsonResponse:
    """Raises ApiError (404) for another name than those of the model and its adapters."""
    name, names = request.path_params["id"], get_settings(request).model_names
    engine = get_engine(request)
    if adapter := find_adapter(name, engine, names):
        return JsonResponse(_adapter_json(request, adapter))
    if name not in names:
        known = [*names, *(adapter.name for adapter in engine.adapters.loaded)]
        message = f"model: expected {' or '.join(known)}, since no other is loaded, got {name}"
        raise ApiError(404, message, field="model")
    return JsonResponse(_model_json(request))


def _model_json(request: Request) -> dict[str, object]:
    engine, settings = get_engine(request), get_settings(request)
    info = engine.model.info
    return {
        "id": settings.alias,
        "aliases": settings.aliases,
        "tags": settings.tags,
        "object": "model",
        "created": request.app.state.started_at,
        "owned_by": "llama-slots",
        "architecture": _modalities_json(engine),
        "meta": {
            "vocab_type": engine.vocab.kind_number,
            "n_vocab": info.n_vocab,
            "n_ctx": engine.n_ctx_slot,
            "n_ctx_train": info.n_ctx_train,
            "n_embd": info.n_embd,
            "n_params": info.n_params,
            "size": info.size_bytes,
            "ftype": info.file_type,
        },
    }


def _adapter_json(request: Request, adapter: Adapter) -> dict[str, object]:
    """Returns an adapter as vLLM lists it, with what is the model's."""
    model = {**_model_json(request), "id": adapter.name, "aliases": (), "tags": ()}
    return {**model, "root": str(adapter.header.path), "parent": get_settings(request).alias}


def _modalities_json(engine: Engine) -> dict[str, object]:
    """Returns what the model takes and gives, in OpenRouter's form."""
    gives = "text" if engine.n_slots else "rerank" if engine.pooling == "rank" else "embeddings"
    return {"input_modalities": ["text", *(engine.media.kinds if engine.media else ())], "output_modalities": [gives]}


def _ollama_adapter_json(request: Request, adapter: Adapter) -> dict[str, object]:
    """Returns an adapter in the form of Ollama's list."""
    model = _ollama_json(request)
    details = {**cast(dict[str, object], model["details"]), "parent_model": get_settings(request).alias}
    return {**model, "name": adapter.name, "model": adapter.name, "details": details}


def _ollama_json(request: Request) -> dict[str, object]:
    """Returns the model in the form of Ollama's list; what is not known is empty."""
    engine, settings = get_engine(request), get_settings(request)
    info, changed = engine.model.info, settings.model_path.stat().st_mtime
    return {
        "name": settings.alias,
        "model": settings.alias,
        "modified_at": datetime.fromtimestamp(changed, UTC).isoformat(),
        "size": info.size_bytes,
        "digest": "",
        "type": "model",
        "description": info.description,
        "tags": [""],
        "capabilities": ["completion" if engine.n_slots else "embedding", *(["multimodal"] if engine.media else [])],
        "parameters": "",
        "details": {
            "parent_model": "",
            "format": "gguf",
            "family": info.architecture,
            "families": [info.architecture],
            "parameter_size": human_count(info.n_params).replace(" ", ""),
            "quantization_level": info.file_type,
        },
    }
