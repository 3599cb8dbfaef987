"""POST /api/v2/execute/{model} answers with the text, POST /api/v1/execute/{model} with a URL to poll for it."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from server.api.aixplain.errors import aixplain_error
from server.api.aixplain.jobs import Jobs
from server.api.aixplain.protocol import ExecutionRequestBody
from server.api.aixplain.response import ExecutionFormatter
from server.generation.chat import prepare_chat
from server.generation.endpoint import Generation, ParsedRequest, prepare, serve
from server.http.auth import get_api_key
from server.http.body import read_body
from server.http.fields import Fields
from server.http.json_response import JsonResponse
from server.http.public_url import public_base_url
from server.state import get_engine, get_settings
from slots.errors import InvalidRequest

IN_PROGRESS: dict[str, object] = {"status": "IN_PROGRESS", "completed": False}


def read_execution(request: Request, fields: Fields) -> ParsedRequest:
    """Returns what a body asks for. Raises InvalidRequest, which names the field, and ApiError (501) for what is not
    supported."""
    engine, settings = get_engine(request), get_settings(request)
    body = ExecutionRequestBody.parse(fields, engine, settings.defaults)
    body = body.replace(model=request.path_params["model"])
    if body.stream and body.n > 1:
        raise InvalidRequest("n", f"expected 1 in a stream, got {body.n}")
    body = body.replace(messages=body.conversation())
    generation = prepare_chat(request, body.chat(settings.chat_template_kwargs), body, settings.reasoning_format)
    generation = replace(generation, prompt=replace(generation.prompt, name="data"))
    after_sampling = body.sampling.post_sampling_probs
    formatter = ExecutionFormatter(engine.vocab, generation, after_sampling=after_sampling)
    return replace(ParsedRequest.of_chat(body, generation, formatter), progress_events=formatter.progress_events)


async def post_job(request: Request) -> Response:
    """Returns the URL to poll for the text, without waiting for that, or a stream of it. Raises what the engine raises
    when it refuses the request, and QueueFull for more jobs than may run."""
    get_engine(request)  # what a body says does not matter while the model loads
    parsed = await read_body(request, partial(read_execution, request), is_slow=True)
    if parsed.options.stream:
        return await serve(request, parsed)
    generation = await prepare(request, parsed)
    n_bytes = sum(len(prompt.original) for prompt in parsed.prompts)
    job_id = await _get_jobs(request).start(get_api_key(request.headers), n_bytes, partial(_run, generation))
    answer = {**IN_PROGRESS, "data": f"{public_base_url(request)}/api/v1/data/{job_id}"}
    return JsonResponse(answer, headers=generation.headers)


async def get_job(request: Request) -> Response:
    """Returns the result of a job, or that it runs. Raises ApiError (404) for an unknown one."""
    job = _get_jobs(request).find(request.path_params["job"], get_api_key(request.headers))
    if job.result is None:
        return JsonResponse(IN_PROGRESS)
    return Response(job.result, media_type=JsonResponse.media_type)


async def _run(generation: Generation, on_accepted: Callable[[], None]) -> object:
    def on_both() -> None:
        generation.on_accepted()
        on_accepted()

    return await replace(generation, on_accepted=on_both).run()


def _get_jobs(request: Request) -> Jobs:
    """Returns the jobs of the application."""
    state = request.app.state
    if not hasattr(state, "aixplain_jobs"):
        state.aixplain_jobs = Jobs(aixplain_error)
    jobs: Jobs = state.aixplain_jobs
    return jobs
