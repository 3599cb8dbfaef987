"""ResponseStore: the responses that the server remembers, until others need the room."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

import orjson

from server.chat.messages import Json

MAX_RESPONSES = 4_096
MAX_BYTES = 64 * 1024 * 1024
"""Of their JSON. A response holds the whole conversation before it."""


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """A response as JSON, which takes a fraction of the room that objects would."""

    response_id: str
    owner: bytes
    """Digest of the API key that it belongs to."""
    body: bytes
    conversation_json: bytes
    n_items: int
    """Number of the items of the conversation that are not its own output."""

    @property
    def conversation(self) -> tuple[Json, ...]:
        """What precedes the input of a response that follows this one: the items that this one answers, those of
        earlier responses first, then its own output."""
        return tuple(orjson.loads(self.conversation_json))

    @property
    def items(self) -> tuple[Json, ...]:
        """The items that it answers."""
        return self.conversation[: self.n_items]

    @property
    def n_bytes(self) -> int:
        return len(self.body) + len(self.conversation_json)


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
        conversation = orjson.dumps([*items, *output])
        stored = StoredResponse(str(body["id"]), _digest(key), orjson.dumps(body), conversation, len(items))
        if stored.n_bytes > self._max_bytes:
            return
        with self._lock:
            self._responses[stored.response_id] = stored
            self._n_bytes += stored.n_bytes
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
        owner, spelled = _digest(key), orjson.dumps(item_id)
        with self._lock:
            newest_first = list(reversed(self._responses.values()))
        for stored in newest_first:
            if secrets.compare_digest(stored.owner, owner) and spelled in stored.conversation_json:
                for item in stored.conversation:
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
