"""StripPrefix: the application below a path of the server, such as /llm."""

from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from server.http.error_format import format_error
from server.http.errors import ApiError


class StripPrefix:
    """Middleware that takes the prefix off the paths of requests, and responds with 404 to others. The prefix itself
    leads to the root below it, so that what is relative to a page there is below it, too."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        """`prefix` begins with a slash and does not end with one."""
        self.app = app
        self.prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        if path.startswith(self.prefix + "/"):
            # Starlette takes what `app_root_path` says into the URLs that it makes, but not into the routes.
            path = path.removeprefix(self.prefix)
            inner = {**scope, "path": path, "raw_path": path.encode(), "app_root_path": self.prefix}
            await self.app(inner, receive, send)
            return
        if path == self.prefix and scope["method"] in ("GET", "HEAD"):
            await RedirectResponse(f"{self.prefix}/")(scope, receive, send)
            return
        error = ApiError(404, f"there is no endpoint at {path}, only below {self.prefix}")
        await format_error(scope, error).response()(scope, receive, send)
