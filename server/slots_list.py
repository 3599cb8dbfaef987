"""GET /slots: what each slot is doing, without any text of its users."""

from starlette.requests import Request

from server.access import engine_of, settings_of
from server.errors import ApiError
from server.generation_settings import options_json
from server.json_response import JsonResponse
from slots.events import SlotStatus


async def get_slots(request: Request) -> JsonResponse:
    engine = engine_of(request)
    if not settings_of(request).show_slots:
        raise ApiError(501, "This server does not support slots endpoint. Start it with `--slots`")
    statuses = engine.slot_statuses()
    if request.query_params.get("fail_on_no_slot") and all(status.is_processing for status in statuses):
        raise ApiError(503, "no slot available")
    return JsonResponse([_slot_json(status) for status in statuses])


def _slot_json(status: SlotStatus) -> dict[str, object]:
    slot: dict[str, object] = {
        "id": status.slot_id,
        "id_task": status.request_number,
        "n_ctx": status.n_ctx,
        "speculative": False,
        "is_processing": status.is_processing,
        "n_prompt_tokens": status.n_prompt_tokens,
        "n_cached_tokens": status.n_cached_tokens,
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
        slot["params"] = options_json(status.request)
    return slot
