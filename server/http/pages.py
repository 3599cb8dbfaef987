"""page_of: the part of a list that a client asks for, as OpenAI's lists are read: `?after=ID&limit=N`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from starlette.requests import Request

from server.http.fields import preview
from slots.errors import InvalidRequest

MAX_LIMIT = 10_000

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    items: list[Item]
    has_more: bool

    def json(self, data: Sequence[dict[str, object]]) -> dict[str, object]:
        """Returns the members of a list of OpenAI's; `data` are the items."""
        first, last = (data[0]["id"], data[-1]["id"]) if data else (None, None)
        return {"object": "list", "data": data, "has_more": self.has_more, "first_id": first, "last_id": last}


def page_of(
    request: Request, items: Sequence[Item], item_id: Callable[[Item], str], *, default_limit: int
) -> Page[Item]:
    """Returns the items after the one that the URL names. Raises InvalidRequest, which names the parameter."""
    after, limit = request.query_params.get("after"), request.query_params.get("limit", str(default_limit))
    if not limit.isdecimal() or not 1 <= int(limit) <= MAX_LIMIT:
        raise InvalidRequest("limit", f"expected a number from 1 to {MAX_LIMIT}, got {preview(limit)}")
    start = 0
    if after:
        start = next((index + 1 for index, item in enumerate(items) if item_id(item) == after), -1)
        if start < 0:
            raise InvalidRequest("after", f"expected the id of one of the list, got {preview(after)}")
    end = start + int(limit)
    return Page(list(items[start:end]), has_more=end < len(items))
