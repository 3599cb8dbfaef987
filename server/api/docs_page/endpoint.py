"""GET /docs: Swagger UI, from the Python package that bundles it."""

from collections.abc import Mapping
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from swagger_ui_bundle import swagger_ui_path

from server.http.dialect import Endpoint
from server.http.errors import ApiError

HERE = Path(__file__).parent

FILES: Mapping[str, tuple[Path, str]] = {
    "swagger-ui.css": (swagger_ui_path / "swagger-ui.css", "text/css"),
    "swagger-ui-bundle.js": (swagger_ui_path / "swagger-ui-bundle.js", "text/javascript"),
    "favicon.png": (swagger_ui_path / "favicon-32x32.png", "image/png"),
    "docs.css": (HERE / "docs.css", "text/css"),
    "docs.js": (HERE / "docs.js", "text/javascript"),
}
"""By the last part of their paths, with their types."""

HEADERS = {
    # Swagger UI's style sheet has pictures in it.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


async def get_docs(_: Request) -> Response:
    return HTMLResponse((HERE / "docs.html").read_bytes(), headers=HEADERS)


async def get_docs_file(request: Request) -> Response:
    name = request.path_params["file"]
    if name not in FILES:
        raise ApiError(404, f"there is no file {name} of the page")
    path, media_type = FILES[name]
    return FileResponse(path, media_type=media_type, headers={**HEADERS, "Cache-Control": "max-age=3600"})


DOCS_ENDPOINTS = (
    # Neither holds more than the program; the description itself and all requests that the page sends need the key.
    Endpoint("/docs", get_docs, "A page over this description", needs_key=False, media_types=("text/html",)),
    Endpoint("/docs/{file}", get_docs_file, "The files of that page", needs_key=False, media_types=("*/*",)),
)
