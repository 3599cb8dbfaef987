"""POST /v1/llm/model-endpoints/download: signed URLs of a model's files. GET /v1/llm/downloads/{file}: one of them."""

import secrets
from pathlib import Path
from urllib.parse import quote

from itsdangerous import BadSignature, SignatureExpired, TimestampSigner
from starlette.requests import Request
from starlette.responses import FileResponse

from models.gguf.model_file import part_paths
from server.api.llm_engine.models import check_model
from server.api.llm_engine.protocol import ModelDownloadBody
from server.http.body import read_body
from server.http.errors import ApiError
from server.http.json_response import JsonResponse
from server.http.public_url import public_base_url
from server.options.lora import find_adapter
from server.settings import Settings
from server.state import get_engine, get_settings
from slots.engine.adapters import Adapter

DOWNLOADS = "/v1/llm/downloads"
VALID_SECONDS = 3600


class DownloadSigner:
    """Signs the names of files with a secret of its own and the time, so that an URL can be passed on to programs that
    have no API key."""

    def __init__(self) -> None:
        self._signer = TimestampSigner(secrets.token_bytes(32), salt=DOWNLOADS)

    def sign(self, file: str) -> str:
        return self._signer.sign(file).decode().removeprefix(f"{file}.")

    def check(self, file: str, signature: str) -> None:
        """Raises ApiError (403) for a signature that is not of this file, or older than an hour."""
        try:
            self._signer.unsign(f"{file}.{signature}", max_age=VALID_SECONDS)
        except SignatureExpired:
            raise ApiError(403, "signature: this URL is older than an hour, ask for a new one") from None
        except BadSignature:
            raise ApiError(403, f"signature: expected the one of an URL that was given for {file}") from None


SIGNER = DownloadSigner()


async def post_download(request: Request) -> JsonResponse:
    """Raises ApiError (404) for a model that is not served."""
    engine, settings, base = get_engine(request), get_settings(request), public_base_url(request)
    body = await read_body(request, ModelDownloadBody.parse)
    adapter = find_adapter(body.model_name, engine, settings.model_names)
    if adapter is None:
        check_model("model_name", body.model_name, settings)
    files = list(_model_files(settings)) if adapter is None else [_file_name(adapter)]
    return JsonResponse({"urls": {file: _signed_url(base, file) for file in files}})


async def get_download(request: Request) -> FileResponse:
    """Raises ApiError (403) without a valid signature, and (404) for a file that is not there."""
    file = request.path_params["file"]
    SIGNER.check(file, request.query_params.get("signature", ""))
    adapters = {_file_name(adapter): adapter.header.path for adapter in get_engine(request).adapters.loaded}
    path = (adapters | _model_files(get_settings(request))).get(file)
    if path is None or not path.is_file():
        raise ApiError(404, f"there is no file {file} any more")
    return FileResponse(path, media_type="application/octet-stream", filename=file)


def _model_files(settings: Settings) -> dict[str, Path]:
    """Returns the files of the base model, by their names."""
    return {path.name: path for path in part_paths(settings.model_path)}


def _file_name(adapter: Adapter) -> str:
    return f"{adapter.name}.gguf"


def _signed_url(base: str, file: str) -> str:
    return f"{base}{DOWNLOADS}/{quote(file, safe='')}?signature={SIGNER.sign(file)}"
