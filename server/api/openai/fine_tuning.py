"""/v1/fine_tuning/jobs: the jobs that make fine-tuned models, in OpenAI's dialect."""

from collections.abc import Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from models.tuning.events import Event
from models.tuning.records import JobRecord, Status
from server.api.openai.fine_tuning_protocol import FineTuningJobBody
from server.fine_tuning.deletion import delete_adapter
from server.fine_tuning.hyperparameters import read_hyperparameters
from server.fine_tuning.new_job import NewJob
from server.http.body import read_body
from server.http.dialect import Endpoint
from server.http.errors import ApiError
from server.http.json_response import JsonResponse
from server.http.pages import page_of
from server.state import get_engine, get_fine_tuning, get_settings, get_state
from slots.errors import InvalidRequest

STATUSES: Mapping[Status, str] = {
    "PENDING": "queued",
    "RUNNING": "running",
    "SUCCESS": "succeeded",
    "FAILURE": "failed",
    "TIMEOUT": "failed",
    "CANCELLED": "cancelled",
}
LEVELS = {"info": "info", "warning": "warn", "error": "error"}
DEFAULT_LIMIT = 20


async def create_job(request: Request) -> JsonResponse:
    """Raises InvalidRequest, which names the field; ApiError (404) for an unknown model or file; NotSupported without
    the packages for it; QueueFull."""
    tuning = get_fine_tuning(request)
    body = await read_body(request, FineTuningJobBody.parse)
    names = get_settings(request).model_names
    if body.model not in names:
        message = f"model: expected {' or '.join(names)}, since no other is loaded, got {body.model}"
        raise ApiError(404, message, field="model")
    reporting, key = _read_integrations(body.integrations)
    hyperparameters = body.chosen_hyperparameters
    if reporting is not None:
        hyperparameters["report_to"] = "wandb"
    options = read_hyperparameters(hyperparameters)
    new = NewJob(
        body.training_file, body.validation_file, options, body.suffix, reporting or {}, key, metadata=body.metadata
    )
    return JsonResponse(_job_json(await run_in_threadpool(tuning.create_job, new)))


async def list_jobs(request: Request) -> JsonResponse:
    """The latest job comes first. Raises InvalidRequest for a wrong place in the list."""
    jobs = await run_in_threadpool(get_fine_tuning(request).store.list_jobs)
    page = page_of(request, jobs[::-1], lambda job: job.id, default_limit=DEFAULT_LIMIT)
    return JsonResponse(page.json([_job_json(job) for job in page.items]))


async def get_job(request: Request) -> JsonResponse:
    """Raises ApiError (404)."""
    return JsonResponse(_job_json(await _find(request)))


async def cancel_job(request: Request) -> JsonResponse:
    """Raises ApiError (404), and (400) for a job that has ended."""
    job = await _find(request)
    tuning = get_fine_tuning(request)
    if not await run_in_threadpool(tuning.queue.cancel, job.id):
        raise ApiError(400, f"the job {job.id} has ended and cannot be cancelled")
    return JsonResponse(_job_json(await _find(request)))


async def list_events(request: Request) -> JsonResponse:
    """The latest event comes first. Raises ApiError (404), and InvalidRequest for a wrong place in the list."""
    job = await _find(request)
    events = await run_in_threadpool(get_fine_tuning(request).store.events(job.id).read)
    entries = [_event_json(job, number, event) for number, event in enumerate(events)][::-1]
    page = page_of(request, entries, lambda entry: str(entry["id"]), default_limit=DEFAULT_LIMIT)
    return JsonResponse(page.json(page.items))


async def list_checkpoints(request: Request) -> JsonResponse:
    """Only the best checkpoint of a job is kept, and it is the model. Raises ApiError (404)."""
    job = await _find(request)
    events = await run_in_threadpool(get_fine_tuning(request).store.events(job.id).read)
    evaluated = [event for event in events if event.metrics and "eval_loss" in event.metrics]
    best = min(evaluated, key=lambda event: (event.metrics or {})["eval_loss"], default=None)
    data = [_checkpoint_json(job, best)] if best is not None and job.status == "SUCCESS" else []
    return JsonResponse(page_of(request, data, lambda entry: str(entry["id"]), default_limit=10).json(data))


async def delete_model(request: Request) -> JsonResponse:
    """Deletes a fine-tuned model; requests that run with it end first. Raises ApiError (404) for any other."""
    name, engine = request.path_params["id"], get_engine(request)
    if not await delete_adapter(get_state(request).fine_tuning, engine, name):
        raise ApiError(404, f"model: expected the name of a fine-tuned model, got {name}", field="model")
    return JsonResponse({"id": name, "object": "model", "deleted": True})


async def _find(request: Request) -> JobRecord:
    return await run_in_threadpool(get_fine_tuning(request).find_job, request.path_params["id"])


def _read_integrations(integrations: list[dict[str, Any]]) -> tuple[dict[str, Any] | None, str]:
    """Returns what is reported to Weights & Biases, None for nothing, and the key for it, which OpenAI keeps elsewhere.
    Raises InvalidRequest for any other integration."""
    reporting, key = None, ""
    for index, integration in enumerate(integrations):
        wandb = integration.get("wandb")
        if integration.get("type") != "wandb" or not isinstance(wandb, dict):
            raise InvalidRequest(f"integrations[{index}]", "expected the type wandb, with an object wandb")
        reporting = dict(wandb)
        key = str(reporting.pop("api_key", ""))
    return reporting, key


def _job_json(job: JobRecord) -> dict[str, object]:
    options = job.options
    hyperparameters = {
        "n_epochs": options["epochs"],
        "batch_size": options["batch_size"],
        "learning_rate_multiplier": options["lr"] / 2e-3,
    }
    error = None
    if job.reason is not None:
        error = {"code": job.status.lower(), "message": job.reason, "param": None}
    return {
        "id": job.id,
        "object": "fine_tuning.job",
        "created_at": int(job.created),
        "error": error,
        "fine_tuned_model": job.name if job.status == "SUCCESS" else None,
        "finished_at": None if job.finished is None else int(job.finished),
        "hyperparameters": hyperparameters,
        "method": {"type": "supervised", "supervised": {"hyperparameters": hyperparameters}},
        "model": job.model,
        "organization_id": "llama-slots",
        "result_files": [],
        "seed": options["seed"],
        "status": STATUSES[job.status],
        "trained_tokens": job.n_tokens,
        "training_file": job.training_file,
        "validation_file": job.validation_file,
        "integrations": [{"type": "wandb", "wandb": job.reporting}] if options["report_to"] == "wandb" else [],
        "metadata": job.metadata,
        "estimated_finish": None,
    }


def _event_json(job: JobRecord, number: int, event: Event) -> dict[str, object]:
    return {
        "id": f"{job.id.replace('ft-', 'ftevent-')}-{number}",
        "object": "fine_tuning.job.event",
        "created_at": int(event.timestamp),
        "level": LEVELS[event.level],
        "message": event.message,
        "type": "metrics" if event.metrics else "message",
        "data": {"step": event.step, **event.metrics} if event.metrics else {},
    }


def _checkpoint_json(job: JobRecord, event: Event) -> dict[str, object]:
    metrics = event.metrics or {}
    return {
        "id": f"{job.id.replace('ft-', 'ftckpt-')}-{event.step}",
        "object": "fine_tuning.job.checkpoint",
        "created_at": int(event.timestamp),
        "fine_tuned_model_checkpoint": job.name,
        "fine_tuning_job_id": job.id,
        "metrics": {"step": event.step, "valid_loss": metrics["eval_loss"]},
        "step_number": event.step,
    }


_MODEL = "/v1/models/{id:path}"
_JOBS = "/v1/fine_tuning/jobs"
_PAGE = ("after", "limit")

FINE_TUNING = (
    Endpoint(_JOBS, create_job, "Fine-tune the model", FineTuningJobBody),
    Endpoint(_JOBS, list_jobs, "List the fine-tuning jobs", query=_PAGE),
    Endpoint(f"{_JOBS}/{{id}}", get_job, "Describe a fine-tuning job"),
    Endpoint(f"{_JOBS}/{{id}}/cancel", cancel_job, "Cancel a fine-tuning job", verb="POST"),
    Endpoint(f"{_JOBS}/{{id}}/events", list_events, "What a job has reported", query=_PAGE),
    Endpoint(f"{_JOBS}/{{id}}/checkpoints", list_checkpoints, "The checkpoint that a job has kept", query=_PAGE),
    Endpoint(_MODEL, delete_model, "Delete a fine-tuned model", verb="DELETE"),
)
