"""/v1/files: upload, list, describe, return and delete files."""

import base64
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from models.tuning.errors import StoreError
from models.tuning.records import FileRecord
from server.http.errors import ApiError
from server.http.json_response import JsonResponse
from server.http.pages import page_of
from server.state import get_fine_tuning

DEFAULT_PURPOSE = "fine-tune"
MAX_TEXT_BYTES = 256 * 1024 * 1024
"""Of a file that is returned within JSON."""


async def post_file(request: Request) -> JsonResponse:
    """Raises InvalidRequest for a form without a file, and ApiError for a file that is too large (413) or that
    the disk has no room for (507)."""
    from server.http.multipart import receive_upload  # noqa: PLC0415 - few servers need it

    tuning = get_fine_tuning(request)
    await run_in_threadpool(tuning.check_file_count)
    try:
        upload = await receive_upload(request, tuning.store.files, tuning.max_file_bytes)
        purpose = upload.fields.get("purpose") or DEFAULT_PURPOSE
        record = await run_in_threadpool(tuning.add_file, upload.path, upload.filename, purpose, upload.n_characters)
    except (OSError, StoreError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ApiError(507, f"file: it cannot be stored: {reason}", field="file") from None
    return JsonResponse(_file_json(record))


async def list_files(request: Request) -> JsonResponse:
    """Raises InvalidRequest for a limit that is no number."""
    records = await run_in_threadpool(get_fine_tuning(request).store.list_files)
    if purpose := request.query_params.get("purpose"):
        records = [record for record in records if record.purpose == purpose]
    if request.query_params.get("order", "desc") == "desc":
        records.reverse()
    page = page_of(request, records, lambda record: record.id, default_limit=10_000)
    files = [_file_json(record) for record in page.items]
    return JsonResponse({"files": files, **page.json(files)})


async def get_file(request: Request) -> JsonResponse:
    """Raises ApiError (404)."""
    return JsonResponse(_file_json(await _find(request)))


async def get_content(request: Request) -> Response:
    """Returns the file itself, as OpenAI does; to LLM Engine's client, which sends its key as basic authentication, its
    text within JSON. Raises ApiError (404)."""
    record = await _find(request)
    path = get_fine_tuning(request).store.file_path(record.id)
    if not request.headers.get("Authorization", "").lower().startswith("basic "):
        headers = {"X-Content-Type-Options": "nosniff"}
        return FileResponse(path, media_type="application/octet-stream", filename=record.filename, headers=headers)
    if record.n_bytes > MAX_TEXT_BYTES:
        raise ApiError(400, f"file: expected at most {MAX_TEXT_BYTES} bytes within JSON, this one has {record.n_bytes}")
    return JsonResponse(await run_in_threadpool(_content_json, record, path))


async def delete_file(request: Request) -> JsonResponse:
    """Jobs that are to read the file have it under another name. Raises ApiError (404)."""
    record = await _find(request)
    await run_in_threadpool(get_fine_tuning(request).store.remove_file, record.id)
    return JsonResponse({"id": record.id, "object": "file", "deleted": True})


async def _find(request: Request) -> FileRecord:
    return await run_in_threadpool(get_fine_tuning(request).find_file, request.path_params["id"])


def _content_json(record: FileRecord, path: Path) -> dict[str, object]:
    content = path.read_bytes()
    is_text = record.n_characters is not None
    text = content.decode() if is_text else base64.b64encode(content).decode()
    return {"id": record.id, "content": text, "encoding": "utf-8" if is_text else "base64"}


def _file_json(record: FileRecord) -> dict[str, object]:
    """The size in LLM Engine's words is that in characters, OpenAI's is in bytes."""
    return {
        "id": record.id,
        "filename": record.filename,
        "size": record.n_bytes if record.n_characters is None else record.n_characters,
        "object": "file",
        "bytes": record.n_bytes,
        "created_at": int(record.created),
        "purpose": record.purpose,
        "status": "processed",
        "expires_at": None,
        "status_details": None,
    }
