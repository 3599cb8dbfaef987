"""GET /pool: what the slots, the queue and host memory hold, for people to look at; it costs little to ask each
second."""

import time

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from server.http.errors import ApiError
from server.http.json_response import JsonResponse
from server.state import get_engine, get_settings
from slots.cache.parked_tree import ParkedPrefix
from slots.engine.pool_status import PoolStatus
from slots.llama import Vocab
from slots.requests.events import SlotStatus


async def get_pool(request: Request) -> JsonResponse:
    engine, settings = get_engine(request), get_settings(request)
    if not settings.show_slots:
        raise ApiError(501, "This server does not support slots endpoint. Start it with `--slots`")
    vocab = engine.vocab if settings.show_prompts else None
    status = engine.pool_status()
    return JsonResponse(await run_in_threadpool(lambda: _pool_json(status, settings.alias, vocab)))


def pool_while_asleep(body: bytes) -> bytes:
    """Returns what /pool answers while the model is unloaded: nothing is held, and nothing happens."""
    pool = orjson.loads(body)
    if "slots" not in pool:  # an error
        return body
    rates = pool["rates"]
    return orjson.dumps(
        {
            **pool,
            "is_sleeping": True,
            "time": time.time(),
            "kv_cache": {**pool["kv_cache"], "n_used": 0},
            "slots": [{**slot, "n_tokens": 0, "n_shared": 0} for slot in pool["slots"]],
            "parked": {
                **pool["parked"],
                **{"n_sequences": 0, "n_bytes": 0},
                "tree": {**pool["parked"]["tree"], "n_tokens": 0, "n_bytes": 0, "n_hidden": 0, "children": []},
            },
            "rates": {name: [0.0] * len(each) if isinstance(each, list) else each for name, each in rates.items()},
        }
    )


def _pool_json(status: PoolStatus, model: str, vocab: Vocab | None) -> dict[str, object]:
    parked = status.parked
    return {
        "model": model,
        "is_sleeping": False,  # see `pool_while_asleep`
        "time": time.time(),
        "kv_cache": {"is_unified": status.is_unified, "n_cells": status.n_cells, "n_used": status.n_cells_used},
        "slots": [_slot_json(slot, n) for slot, n in zip(status.slots, status.n_shared, strict=True)],
        "queue": {
            "n_waiting": status.n_waiting,
            "first": [
                {
                    "id_task": queued.request_id,
                    "position": queued.position,
                    "waiting_ms": round(queued.waiting_ms),
                    "n_prompt_tokens": queued.n_prompt_tokens,
                }
                for queued in status.queue
            ],
        },
        "parked": {
            "n_sequences": parked.n_sequences,
            "n_bytes": parked.n_bytes,
            "budget_bytes": parked.budget_bytes,
            "tree": _tree_json(parked.tree, vocab),
        },
        "rates": {
            "bucket_seconds": status.rates.bucket_seconds,
            "prompt_tokens_per_second": [round(rate, 2) for rate in status.rates.prompt],
            "generated_tokens_per_second": [round(rate, 2) for rate in status.rates.generated],
        },
    }


def _slot_json(slot: SlotStatus, n_shared: int) -> dict[str, object]:
    return {
        "id": slot.slot_id,
        "id_task": slot.request_id,
        "state": slot.activity,
        "n_ctx": slot.n_ctx,
        "n_tokens": slot.n_cached_tokens,
        "n_shared": n_shared,
        "n_prompt_tokens": slot.n_prompt_tokens,
        "n_prompt_tokens_cache": slot.n_prompt_tokens_cache,
        "n_prompt_tokens_processed": slot.n_prompt_tokens_processed,
        "cache_hits": [
            {"source": hit.source, "n_tokens": hit.n_tokens, "slot_id": hit.slot_id} for hit in slot.cache_hits
        ],
        "waits_for": slot.waits_for,
        "n_decoded": slot.n_decoded,
        "n_remain": slot.n_remain,
        "tokens_per_second": round(slot.tokens_per_second, 2),
    }


def _tree_json(prefix: ParkedPrefix, vocab: Vocab | None) -> dict[str, object]:
    node: dict[str, object] = {"n_tokens": prefix.n_tokens, "n_bytes": prefix.n_bytes, "slots": prefix.slots}
    if vocab is not None:
        node["text"] = vocab.display_all(prefix.first_tokens)
    return {
        **node,
        "n_hidden": prefix.n_hidden,
        "children": [_tree_json(child, vocab) for child in prefix.children],
    }
