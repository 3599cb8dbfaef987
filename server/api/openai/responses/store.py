"""ResponseStore: the responses that the server remembers, until others need the room."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock

import orjson

from server.chat.messages import Json

MAX_RESPONSES = 4_096
MAX_BYTES = 64 * 1024 * 1024
"""Of their JSON. A response counts with the whole conversation before it, which it may share with others."""


@dataclass(frozen=True, slots=True)
class StoredResponse:
    owner: bytes
    """Digest of the API key that it belongs to."""
    body: Json
    items: tuple[Json, ...]
    """The conversation that it answers: of earlier responses, then its own input."""
    output: tuple[Json, ...]
    n_bytes: int = field(compare=False)

    @property
    def response_id(self) -> str:
        return str(self.body["id"])

    @property
    def conversation(self) -> tuple[Json, ...]:
        """What precedes the input of a response that follows this one."""
        return self.items + self.output


class ResponseStore:
    """For all threads. The least recently used responses are forgotten first."""

    def __init__(self, *, max_responses: int = MAX_RESPONSES, max_bytes: int = MAX_BYTES) -> None:
        self._max_responses = max_responses
        self._max_bytes = max_bytes
        self._n_bytes = 0
        self._responses: dict[str, StoredResponse] = {}
        """Least recently used first."""
        self._lock = Lock()

    def add(self, key: bytes, body: Json, items: Sequence[Json], output: Sequence[Json]) -> None:
        """Remembers a response for the API key `key`, unless it takes more room than there is for all."""
        n_bytes = len(orjson.dumps([body, items]))
        if n_bytes > self._max_bytes:
            return
        stored = StoredResponse(_digest(key), body, tuple(items), tuple(output), n_bytes)
        with self._lock:
            self._responses[stored.response_id] = stored
            self._n_bytes += n_bytes
            while len(self._responses) > self._max_responses or self._n_bytes > self._max_bytes:
                self._forget(next(iter(self._responses)))

    def find(self, response_id: str, key: bytes) -> StoredResponse | None:
        """Returns a response, or None if it is unknown, was forgotten, or belongs to another API key."""
        with self._lock:
            stored = self._responses.get(response_id)
            if stored is None or not secrets.compare_digest(stored.owner, _digest(key)):
                return None
            self._responses[response_id] = self._responses.pop(response_id)
            return stored

    def find_item(self, item_id: str, key: bytes) -> Json | None:
        """Returns an item of a response or of its input, or None as `find` does."""
        owner = _digest(key)
        with self._lock:
            for stored in reversed(self._responses.values()):
                if not secrets.compare_digest(stored.owner, owner):
                    continue
                for item in reversed(stored.conversation):
                    if item.get("id") == item_id:
                        return item
        return None

    def delete(self, response_id: str, key: bytes) -> bool:
        """Returns whether there was such a response."""
        if self.find(response_id, key) is None:
            return False
        with self._lock:
            if response_id in self._responses:
                self._forget(response_id)
        return True

    def _forget(self, response_id: str) -> None:
        self._n_bytes -= self._responses.pop(response_id).n_bytes


def _digest(key: bytes) -> bytes:
    return hashlib.blake2b(key).digest()
