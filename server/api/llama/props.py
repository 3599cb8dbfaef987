"""GET /props and /chat: the state of the server, its model and its defaults."""

from dataclasses import asdict
from typing import TYPE_CHECKING

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from server.api.llama.health import BUILD_INFO
from server.generation.generation_settings import all_options_json, output_settings_json
from server.http.json_response import JsonResponse
from server.options.generation_options import GenerationOptions
from server.state import get_chat_format, get_engine, get_settings, get_state
from slots.engine import memory_use
from slots.llama import Vocab

if TYPE_CHECKING:
    from server.chat.template.capabilities import Capabilities


async def get_props(request: Request) -> JsonResponse:
    engine, settings, system_prompt = get_engine(request), get_settings(request), get_state(request).system_prompt
    chat_format = get_chat_format(request)
    chat_template = await run_in_threadpool(lambda: chat_format.template)
    of_tools = chat_format.of_tools
    tool_use_template = await run_in_threadpool(lambda: of_tools.template) if of_tools else None
    threads, kinds = engine.thread_numbers(), engine.media.kinds if engine.media else ()
    return JsonResponse(
        {
            "default_generation_settings": {
                "params": {
                    **_defaults_json(settings.defaults, engine.vocab),
                    **output_settings_json(engine, settings.reasoning_format),
                },
                "n_ctx": engine.n_ctx_slot,
            },
            "total_slots": engine.n_slots,
            "n_threads": threads.few,
            "n_threads_batch": threads.many,
            "n_threads_max": threads.max,
            "model_alias": settings.alias,
            "model_path": str(settings.model_path),
            "model_ftype": engine.model.info.file_type,
            "modalities": {"vision": "image" in kinds, "video": False, "audio": "audio" in kinds},
            "media_marker": settings.media_marker,
            "chat_template": chat_template.source,
            **({"chat_template_tool_use": tool_use_template.source} if tool_use_template else {}),
            "chat_template_caps": _capabilities_json(chat_template.capabilities),
            "bos_token": _text(engine.vocab.bos, engine.vocab),
            "eos_token": _text(engine.vocab.eos, engine.vocab),
            "endpoint_slots": settings.show_slots,
            "endpoint_props": False,
            "endpoint_metrics": settings.show_metrics,
            "is_sleeping": False,  # see `props_while_asleep`
            "sleep_idle_seconds": settings.sleep_idle_seconds,
            "ui": settings.show_ui,
            "ui_settings": settings.ui_settings,
            "cors_proxy_enabled": False,
            "build_info": BUILD_INFO,
            "memory": asdict(engine.memory_use()),
            "assistant_name": system_prompt.assistant_name,
            "anti_prompt": system_prompt.anti_prompt,
            "user_name": system_prompt.anti_prompt,  # as it was called by llama.cpp's server
        }
    )


def props_while_asleep(body: bytes) -> bytes:
    """Returns what /props answers while the model is unloaded."""
    return orjson.dumps({**orjson.loads(body), "is_sleeping": True, "memory": asdict(memory_use())})


def _defaults_json(defaults: GenerationOptions, vocab: Vocab) -> dict[str, object]:
    options = all_options_json(defaults, defaults, defaults.constraint, vocab)
    return {**options, "lora": [], "return_tokens": defaults.return_tokens}


def _capabilities_json(capabilities: "Capabilities") -> dict[str, bool]:
    return {
        "supports_string_content": capabilities.supports_strings,
        "supports_typed_content": capabilities.supports_typed_content,
        "supports_tools": capabilities.supports_tools,
        "supports_tool_calls": capabilities.supports_tool_calls,
        "supports_tool_results": capabilities.supports_tool_results,
        "supports_parallel_tool_calls": capabilities.supports_parallel_tool_calls,
        "supports_object_arguments": capabilities.supports_tool_calls and capabilities.arguments_as == "object",
        "supports_system_role": capabilities.supports_system,
        "supports_preserve_reasoning": capabilities.supports_reasoning,
    }


def _text(token: int | None, vocab: Vocab) -> str:
    return "" if token is None else vocab.display(token)


NOT_STARTED = {"status": "not started", "message": "The model is still loading; try again later."}


async def get_chat_status(request: Request) -> JsonResponse:
    state, settings = get_state(request), get_settings(request)
    engine, defaults = state.engine, settings.defaults
    if engine is None:
        return JsonResponse(NOT_STARTED)
    return JsonResponse(
        {
            "status": "running",
            "llm_serving_url": str(request.base_url).rstrip("/"),
            "model_name": settings.alias,
            "max_new_tokens": defaults.n_predict if defaults.n_predict >= 0 else engine.n_ctx_slot,
            "device": engine.model.device,
            "do_sample": defaults.temperature > 0,
            "system_prompt": state.system_prompt.text,
        }
    )
