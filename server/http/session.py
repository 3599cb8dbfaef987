"""Sessions: a cookie with a random id, by which a client gets the slot again that served it last."""

import secrets
from dataclasses import dataclass

from itsdangerous import BadSignature, Signer
from starlette.requests import Request

from server.http.public_url import public_scheme

COOKIE = "llama_slots_session"


@dataclass(frozen=True, slots=True)
class Session:
    session_id: str
    headers: dict[str, str]
    """Headers of the response: the cookie, if the client has none yet."""


class Sessions:
    """Signs cookies with a secret of its own, so that sessions end with the server, as its slots do."""

    def __init__(self) -> None:
        self._signer = Signer(secrets.token_bytes(32), salt=COOKIE)

    def get_or_create(self, request: Request) -> Session:
        """Returns the session of the request's cookie, or a new one if the cookie was not signed here."""
        known = self.get(request)
        if known is not None:
            return Session(known, headers={})
        new = secrets.token_urlsafe(16)
        # What a client makes up about a proxy concerns nothing but its own cookie.
        return Session(new, headers={"Set-Cookie": self._cookie(new, secure=public_scheme(request) == "https")})

    def get(self, request: Request) -> str | None:
        """Returns the id in the request's cookie, or None if the cookie was not signed here."""
        try:
            return self._signer.unsign(request.cookies.get(COOKIE, "")).decode()
        except BadSignature:
            return None

    def _cookie(self, session_id: str, *, secure: bool) -> str:
        value = self._signer.sign(session_id).decode()
        return f"{COOKIE}={value}; Path=/; HttpOnly; SameSite=Lax{'; Secure' if secure else ''}"
