"""GET /slots: what each slot is doing, and of the text of its user what the one who asks may see."""

from collections.abc import Callable, Sequence

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from server.api.llama.generation_settings import options_json
from server.http.errors import ApiError
from server.http.json_response import JsonResponse
from server.state import engine_of, sessions_of, settings_of
from slots.llama import Vocab
from slots.requests.events import SlotStatus
from slots.requests.request import CompletionRequest


async def get_slots(request: Request) -> JsonResponse:
    engine, settings = engine_of(request), settings_of(request)
    if not settings.show_slots:
        raise ApiError(501, "This server does not support slots endpoint. Start it with `--slots`")
    statuses = engine.slot_statuses()
    if request.query_params.get("fail_on_no_slot") and all(status.is_processing for status in statuses):
        raise ApiError(503, "no slot available")
    session_id = sessions_of(request).known(request)

    def may_read(work: CompletionRequest) -> bool:
        return settings.show_prompts or (session_id is not None and work.session == session_id)

    # In a worker thread, since prompts are long.
    return JsonResponse(
        await run_in_threadpool(
            lambda: [_slot_json(status) | _texts_json(status, engine.vocab, may_read) for status in statuses]
        )
    )


def _slot_json(status: SlotStatus) -> dict[str, object]:
    slot: dict[str, object] = {
        "id": status.slot_id,
        "id_task": status.request_number,
        "n_ctx": status.n_ctx,
        "speculative": status.speculates,
        "is_processing": status.is_processing,
        "n_prompt_tokens": status.n_prompt_tokens,
        "n_prompt_tokens_processed": status.n_prompt_tokens_processed,
        "n_prompt_tokens_cache": status.n_prompt_tokens_cache,
        "n_cached_tokens": status.n_cached_tokens,
        "waits_for": status.waits_for,
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


def _texts_json(status: SlotStatus, vocab: Vocab, may_read: Callable[[CompletionRequest], bool]) -> dict[str, object]:
    """The prompt without the system prompt, which is another one's text."""
    work = status.request
    if work is None or not may_read(work):
        return {}
    prompt = work.prompt[work.scope.n_public :]
    return {"prompt": _text(prompt, vocab), "generated": _text(status.generated, vocab)}


def _text(tokens: Sequence[int], vocab: Vocab) -> str:
    return vocab.detokenize(tokens).decode(errors="replace")
