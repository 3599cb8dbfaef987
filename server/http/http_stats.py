"""HttpStats: counts responses and errors."""

from collections import Counter

from server.http.request_record import RequestRecord

NO_ENDPOINT = "none"


class HttpStats:
    """Event loop only."""

    def __init__(self) -> None:
        self.responses: Counter[tuple[str, str, int]] = Counter()
        """By path of the endpoint, method and status."""
        self.errors: Counter[int] = Counter()
        """By code, also of streams that failed midway; 499 stands for clients that went away."""

    def count(self, record: RequestRecord) -> None:
        route = record.route or NO_ENDPOINT
        method = record.method if record.route else NO_ENDPOINT
        self.responses[route, method, record.status or record.code] += 1
        if record.code >= 400:
            self.errors[record.code] += 1
