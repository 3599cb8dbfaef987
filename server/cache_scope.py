"""With whom a request shares what is computed of its prompt."""

import hashlib

import orjson
from starlette.requests import Request

from server.http.auth import key_of
from server.settings import CacheIsolation


def salt_of(request: Request, session_id: str, isolation: CacheIsolation, cache_salt: str) -> str:
    """Returns a text that only those requests have that may share their prefixes: those of the same session or API
    key, as far as that is asked for, and with the same `cache_salt`. It is empty for those that share with everybody,
    and tells nobody what it was made of."""
    match isolation:
        case "session":
            tenant = session_id
        case "key":
            tenant = key_of(request.headers).decode("latin-1")
        case "none":
            tenant = ""
    if not tenant and not cache_salt:
        return ""
    # A list as JSON keeps the two apart, whatever they hold.
    return hashlib.blake2b(orjson.dumps([tenant, cache_salt]), digest_size=32).hexdigest()
