"""/v1/llm/fine-tunes: jobs that make a fine-tuned model, in LLM Engine's dialect."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from models.tuning.records import JobRecord
from server.api.llm_engine.models import check_model
from server.api.llm_engine.protocol import FineTuneBody
from server.fine_tuning.hyperparameters import read_hyperparameters
from server.fine_tuning.new_job import NewJob
from server.http.body import read_body
from server.http.json_response import JsonResponse
from server.state import get_fine_tuning, get_settings

API_KEY = "api_key"


async def create_fine_tune(request: Request) -> JsonResponse:
    """Raises InvalidRequest, which names the field; ApiError (404) for an unknown model or file; NotSupported without
    the packages for it; QueueFull."""
    tuning = get_fine_tuning(request)
    body = await read_body(request, FineTuneBody.parse)
    check_model("model", body.model, get_settings(request))
    wandb = dict(body.wandb_config)
    new = NewJob(
        body.training_file,
        body.validation_file,
        read_hyperparameters(body.hyperparameters),
        body.suffix,
        key=str(wandb.pop(API_KEY, "")),
        reporting=wandb,
    )
    job = await run_in_threadpool(tuning.create_job, new)
    # The document calls it fine_tune_id, its client id.
    return JsonResponse({"id": job.id, "fine_tune_id": job.id})


async def get_fine_tune(request: Request) -> JsonResponse:
    """Raises ApiError (404)."""
    return JsonResponse(_job_json(await _find(request)))


async def list_fine_tunes(request: Request) -> JsonResponse:
    jobs = await run_in_threadpool(get_fine_tuning(request).store.list_jobs)
    return JsonResponse({"jobs": [_job_json(job) for job in jobs]})


async def get_events(request: Request) -> JsonResponse:
    """Raises ApiError (404)."""
    job = await _find(request)
    events = await run_in_threadpool(get_fine_tuning(request).store.events(job.id).read)
    entries = [{"timestamp": event.timestamp, "message": event.message, "level": event.level} for event in events]
    return JsonResponse({"events": entries})


async def cancel_fine_tune(request: Request) -> JsonResponse:
    """A job that has ended, or never was, cannot be cancelled."""
    success = await run_in_threadpool(get_fine_tuning(request).queue.cancel, request.path_params["id"])
    return JsonResponse({"success": success})


async def _find(request: Request) -> JobRecord:
    return await run_in_threadpool(get_fine_tuning(request).find_job, request.path_params["id"])


def _job_json(job: JobRecord) -> dict[str, object]:
    """The client knows no status STARTED, which the document has."""
    model = job.name if job.status == "SUCCESS" else None
    return {"id": job.id, "fine_tune_id": job.id, "status": job.status, "fine_tuned_model": model}
