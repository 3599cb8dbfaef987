"""public_base_url: the address by which a client reaches the server, for answers that hold URLs."""

from starlette.requests import Request


def public_base_url(request: Request) -> str:
    """Returns scheme and host as the client wrote them, even if a proxy ends encryption, and the prefix of all paths;
    without a slash at the end."""
    return f"{public_scheme(request)}://{request.url.netloc}{request.scope.get('app_root_path', '')}"


def public_scheme(request: Request) -> str:
    """Returns http, or https if the connection is encrypted, perhaps only as far as a proxy that says so."""
    forwarded = request.headers.get("X-Forwarded-Proto", "").split(",")[0].strip()
    return "https" if "https" in (request.url.scheme, forwarded) else "http"
