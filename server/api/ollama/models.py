"""GET /api/tags and /api/ps, POST /api/show: the one model of this server, as Ollama lists and describes models."""

import hashlib
from datetime import UTC, datetime
from functools import lru_cache, partial
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from models.gguf.model_file import ModelFile, read_model_file
from models.gguf.types import FILE_TYPES
from models.units import human_count
from server.api.ollama.options import OllamaOptions
from server.api.ollama.protocol import OllamaShowBody
from server.chat.request import Chat
from server.http.body import read_body
from server.http.errors import ApiError
from server.http.json_response import JsonResponse
from server.options.generation_options import GenerationOptions
from server.settings import Settings
from server.state import get_chat_format, get_engine, get_settings
from slots.errors import InvalidRequest
from slots.requests.params import get_spellings

Json = dict[str, object]

DEFAULT_TAG = "latest"
FOREVER = "9999-12-31T23:59:59Z"
"""When the model is unloaded: clients show "Forever" for a year that is far enough away."""
PARAMETERS = (
    *("n_predict", "n_keep", "seed", "stop", "temperature", "top_k", "top_p", "min_p", "typical_p", "tfs_z"),
    *("repeat_last_n", "repeat_penalty", "presence_penalty", "frequency_penalty", "penalize_nl"),
    *("mirostat", "mirostat_tau", "mirostat_eta"),
)
"""The options that Ollama has."""
MAX_SHOWN_ELEMENTS = 5
"""Of a list in the description of a model that is not verbose."""


async def get_tags(request: Request) -> JsonResponse:
    """Returns the model under each name that the server's flags give it, and its LoRA adapters."""
    engine = get_engine(request)
    common = {
        "modified_at": _modified_at(get_settings(request)),
        "size": engine.model.info.size_bytes,
        "digest": _digest(request),
        "details": await run_in_threadpool(_details, request),
        "capabilities": await run_in_threadpool(capabilities, request),
    }
    names = [*listed_names(get_settings(request)), *(f"{each.name}:{DEFAULT_TAG}" for each in engine.adapters.loaded)]
    return JsonResponse({"models": [{"name": name, "model": name, **common} for name in names]})


async def get_processes(request: Request) -> JsonResponse:
    """Returns the model with the memory that it takes, and how much of that is on GPUs."""
    engine = get_engine(request)
    sizes = {device: sum(kinds.values()) for device, kinds in engine.memory_use().buffers.items()}
    name = listed_names(get_settings(request))[0]
    process = {
        "name": name,
        "model": name,
        "size": sum(sizes.values()),
        "digest": _digest(request),
        "details": await run_in_threadpool(_details, request),
        "expires_at": FOREVER,
        "size_vram": sum(size for device, size in sizes.items() if not _is_host_memory(device)),
        "context_length": engine.n_ctx_slot,
    }
    return JsonResponse({"models": [process]})


async def post_show(request: Request) -> JsonResponse:
    """Raises ApiError (404) for another name than the model's."""
    engine = get_engine(request)  # what a body says does not matter while the model loads
    body = await read_body(request, OllamaShowBody.parse)
    names = [*get_settings(request).model_names, *(adapter.name for adapter in engine.adapters.loaded)]
    if str(body.model).removesuffix(f":{DEFAULT_TAG}") not in {name.removesuffix(f":{DEFAULT_TAG}") for name in names}:
        message = f"model '{body.model}' not found: this server has only {' or '.join(names)}"
        raise ApiError(404, message, field="model")
    return JsonResponse(await run_in_threadpool(partial(_description, request, is_verbose=body.verbose)))


def capabilities(request: Request) -> list[str]:
    """Returns what the model can do, in Ollama's words. Tools are generated under a grammar, with every model."""
    engine = get_engine(request)
    if not engine.n_slots:
        return ["embedding"]
    vocab = engine.vocab
    can_insert = None not in (vocab.fim_pre, vocab.fim_suf, vocab.fim_mid)
    return [
        *("completion", "tools"),
        *(["insert"] if can_insert else []),
        *(["thinking"] if can_think(request) else []),
    ]


def can_think(request: Request) -> bool:
    """Whether the model's template knows thoughts. For a worker thread."""
    chat = Chat(({"role": "user", "content": "Hi"},), None, (), True, {"enable_thinking": True})
    return get_chat_format(request).render(chat).reasoning_tags is not None


def check_can_think(request: Request, name: str, think: bool | str | None) -> None:
    """Raises InvalidRequest if a request asks a model for thoughts that does not think. For a worker thread."""
    if think and not can_think(request):
        raise InvalidRequest("think", f'"{name}" does not support thinking, expected false or nothing')


def _description(request: Request, *, is_verbose: bool) -> Json:
    engine, settings = get_engine(request), get_settings(request)
    file = _read_file(settings.model_path)
    info = file.all_values(None if is_verbose else MAX_SHOWN_ELEMENTS)
    hidden = ("general.name", "tokenizer.chat_template")
    template, parameters = get_chat_format(request).template.source, _parameters(settings.defaults)
    return {
        "license": file.text("general.license") or "",
        "modelfile": _modelfile(settings.model_path, template, parameters),
        "parameters": "\n".join(parameters),
        "template": template,
        "details": _details(request),
        "model_info": {
            **{key: value for key, value in info.items() if key not in hidden},
            "general.parameter_count": engine.model.info.n_params,
        },
        "capabilities": capabilities(request),
        "modified_at": _modified_at(settings),
    }


def _details(request: Request) -> Json:
    """Reads the header of the model's file the first time."""
    engine, settings = get_engine(request), get_settings(request)
    info, file_type = engine.model.info, _read_file(settings.model_path).integer("general.file_type")
    return {
        "parent_model": "",
        "format": "gguf",
        "family": info.architecture,
        "families": [info.architecture],
        "parameter_size": human_count(info.n_params).replace(" ", ""),
        "quantization_level": info.file_type if file_type is None else FILE_TYPES.get(file_type, info.file_type),
        "context_length": info.n_ctx_train,
        "embedding_length": info.n_embd,
    }


@lru_cache(maxsize=1)
def _read_file(path: Path) -> ModelFile:
    return read_model_file(path)


def _parameters(defaults: GenerationOptions) -> list[str]:
    """Returns a line for each option that a flag sets and that Ollama has, as in a Modelfile."""
    lines: list[str] = []
    for field in PARAMETERS:
        if field not in defaults.model_fields_set:
            continue
        value, name = getattr(defaults, field), get_spellings(field, OllamaOptions.model_fields[field])[0]
        values = value if isinstance(value, tuple) else (value,)
        lines += [f"{name:<30} {_quoted(each)}" for each in values if isinstance(each, bool | int | float | str)]
    return lines


def _quoted(value: bool | int | float | str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _modelfile(path: Path, template: str, parameters: list[str]) -> str:
    lines = [f"FROM {path}", f'TEMPLATE """{template}"""', *(f"PARAMETER {line}" for line in parameters)]
    return "\n".join(lines)


def listed_names(settings: Settings) -> list[str]:
    """Returns the names of the model with their tags. Without a flag that names it, the name is that of its file."""
    given = (Path(name).stem if name.endswith(".gguf") else name for name in (settings.alias, *settings.aliases))
    names = dict.fromkeys(given)
    return [name if ":" in name else f"{name}:{DEFAULT_TAG}" for name in names]


def _modified_at(settings: Settings) -> str:
    return datetime.fromtimestamp(settings.model_path.stat().st_mtime, UTC).isoformat()


def _digest(request: Request) -> str:
    """Returns hex digits, as many as those of Ollama's digests, that identify the model."""
    return hashlib.sha256(get_engine(request).fingerprint.encode()).hexdigest()


def _is_host_memory(device: str) -> bool:
    return device.startswith("CPU") or device.endswith("_Host")
