"""GET / for browsers: the page, and the files that it consists of."""

import mimetypes
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from server.http.dialect import Endpoint, Handler

FOLDER = Path(__file__).parent / "files"
HEADERS = {
    # Nothing from elsewhere, and no scripts or styles but those in files: what a model writes cannot run.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",  # which asks each time, by ETag
    "Vary": "Accept",
}

_files = StaticFiles(directory=FOLDER)
mimetypes.add_type("text/javascript", ".js")  # whatever the system says: browsers insist on it


def with_page(endpoints: Iterable[Endpoint]) -> tuple[Endpoint, ...]:
    """Returns `endpoints` with those of the page. A browser gets it at /, other clients what was there before."""
    before = list(endpoints)
    root = next((endpoint for endpoint in before if endpoint.path == "/"), None)
    page = Endpoint("/", _page_or(root.handler if root else _not_found), "The page for people", needs_key=False)
    media_types = ("text/html", *(root.media_types if root else ()))
    files = Endpoint("/ui/{name:path}", _get_file, "A file of the page", needs_key=False, media_types=("*/*",))
    others = [endpoint for endpoint in before if endpoint is not root]
    return (*others, replace(page, media_types=media_types), files)


def _page_or(handler: Handler) -> Handler:
    async def get_page(request: Request) -> Response:
        if "text/html" in request.headers.get("Accept", ""):
            return await _serve("index.html", request)
        response = await handler(request)
        response.headers["Vary"] = HEADERS["Vary"]
        return response

    return get_page


async def _not_found(_: Request) -> Response:
    raise HTTPException(404)


async def _get_file(request: Request) -> Response:
    return await _serve(request.path_params["name"], request)


async def _serve(name: str, request: Request) -> Response:
    """Raises HTTPException (404) if there is no such file."""
    response = await _files.get_response(name, request.scope)
    response.headers.update(HEADERS)
    return response
