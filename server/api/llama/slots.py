"""GET /slots: what each slot does. POST /slots/{id_slot}: save, restore or erase what it computed."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from server.api.llama.protocol import SlotFileRequestBody
from server.api.llama.slot_files import SlotFolder
from server.generation.cache_miss import cache_miss_json
from server.generation.generation_settings import options_json
from server.http.body import read_body
from server.http.disconnect import cancel_on_disconnect
from server.http.errors import ApiError
from server.http.fields import invalid_value
from server.http.json_response import JsonResponse
from server.options.lora import adapters_json
from server.state import get_engine, get_sessions, get_settings, get_state
from slots.llama import Vocab
from slots.requests.events import SlotStatus, ThreadNumbers
from slots.requests.media import text_tokens
from slots.requests.request import CompletionRequest


async def get_slots(request: Request) -> JsonResponse:
    engine, settings = get_engine(request), get_settings(request)
    if not settings.show_slots:
        raise ApiError(501, "This server does not support slots endpoint. Start it with `--slots`")
    statuses, threads = engine.slot_statuses(), engine.thread_numbers()
    if request.query_params.get("fail_on_no_slot") and all(status.is_processing for status in statuses):
        raise ApiError(503, "no slot available")
    session_id = get_sessions(request).get(request)

    def may_read(owned: CompletionRequest) -> bool:
        return settings.show_prompts or (session_id is not None and owned.session == session_id)

    # In a worker thread, since prompts are long.
    return JsonResponse(
        await run_in_threadpool(
            lambda: [_slot_json(status, threads) | _texts_json(status, engine.vocab, may_read) for status in statuses]
        )
    )


def _slot_json(status: SlotStatus, threads: ThreadNumbers) -> dict[str, object]:
    slot: dict[str, object] = {
        "id": status.slot_id,
        "id_task": status.request_id,
        "n_ctx": status.n_ctx,
        "n_threads": threads.few if status.n_decoded else threads.many,
        "speculative": status.speculates,
        "is_processing": status.is_processing,
        "n_prompt_tokens": status.n_prompt_tokens,
        "n_prompt_tokens_processed": status.n_prompt_tokens_processed,
        "n_prompt_tokens_cache": status.n_prompt_tokens_cache,
        "n_cached_tokens": status.n_cached_tokens,
        "waits_for": status.waits_for,
        "state": status.activity,
        "cache_hits": [asdict(hit) for hit in status.cache_hits],
        "tokens_per_second": status.tokens_per_second,
        "next_token": [
            {
                "has_next_token": status.is_processing,
                "has_new_line": status.has_new_line,
                "n_remain": status.n_remain,
                "n_decoded": status.n_decoded,
            }
        ],
    }
    if status.request is not None:
        options = options_json(status.request, status.request.sampling)
        slot["params"] = {**options, "lora": adapters_json(status.request.adapters)}
    return slot


def _texts_json(status: SlotStatus, vocab: Vocab, may_read: Callable[[CompletionRequest], bool]) -> dict[str, object]:
    """Leaves out the system prompt, which another client may have set."""
    request, miss = status.request, status.cache_miss
    if request is None or not may_read(request):
        return {"cache_miss": None if request is None else cache_miss_json(miss, request, None)}
    prompt = request.prompt[request.scope.n_public :]
    return {
        "cache_miss": cache_miss_json(miss, request, vocab),
        "prompt": _text(prompt, vocab),
        "generated": _text(status.generated, vocab),
    }


def _text(tokens: Sequence[int], vocab: Vocab) -> str:
    return vocab.display_all(text_tokens(tokens))


async def post_slot(request: Request) -> JsonResponse:
    engine, path = get_engine(request), get_settings(request).slot_save_path
    if path is None:
        raise ApiError(501, "This server does not support slots action. Start it with `--slot-save-path`")
    engine.check_can_generate()
    slot_id = _as_slot_id(request.path_params["id_slot"], engine.n_slots)
    folder = SlotFolder(path)
    match action := request.query_params.get("action"):
        case "save":
            return JsonResponse(await _save(request, slot_id, folder))
        case "restore":
            return JsonResponse(await _restore(request, slot_id, folder))
        case "erase":
            return JsonResponse(await _erase(request, slot_id))
    raise invalid_value("action", "save, restore or erase", action)


def _as_slot_id(text: str, n_slots: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) < n_slots):
        raise invalid_value("id_slot", f"a slot from 0 to {n_slots - 1}", text)
    return int(text)


async def _save(request: Request, slot_id: int, folder: SlotFolder) -> dict[str, object]:
    engine, name = get_engine(request), await _read_file_name(request)
    # One at a time for each slot: a state waits in memory for its file.
    async with get_state(request).slot_locks[slot_id]:
        started = time.perf_counter()
        saved = await cancel_on_disconnect(request.receive, engine.save_slot(slot_id))
        n_written = await run_in_threadpool(folder.write, name, saved, engine.fingerprint)
    return {
        "id_slot": slot_id,
        "filename": name,
        "n_saved": len(saved.tokens),
        "n_written": n_written,
        "timings": {"save_ms": _milliseconds_since(started)},
    }


async def _restore(request: Request, slot_id: int, folder: SlotFolder) -> dict[str, object]:
    engine, name = get_engine(request), await _read_file_name(request)
    async with get_state(request).slot_locks[slot_id]:
        started = time.perf_counter()
        saved, n_read = await run_in_threadpool(folder.read, name, engine.fingerprint)
        await cancel_on_disconnect(request.receive, engine.restore_slot(slot_id, saved))
    return {
        "id_slot": slot_id,
        "filename": name,
        "n_restored": len(saved.tokens),
        "n_read": n_read,
        "timings": {"restore_ms": _milliseconds_since(started)},
    }


async def _erase(request: Request, slot_id: int) -> dict[str, object]:
    n_erased = await cancel_on_disconnect(request.receive, get_engine(request).erase_slot(slot_id))
    return {"id_slot": slot_id, "n_erased": n_erased}


async def _read_file_name(request: Request) -> str:
    return await read_body(request, lambda fields: SlotFileRequestBody.parse(fields).filename)


def _milliseconds_since(started: float) -> float:
    return 1000 * (time.perf_counter() - started)
