"""Campaign: sends cases from several clients at once, and looks at every answer and at what is left behind."""

import http.client
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import orjson

from tests.server.http_client import get, post
from tests.server.mutations.answers import Answer, problem_of
from tests.server.mutations.cases import Case, CaseMaker
from tests.server.mutations.operations import read_api
from tests.server.mutations.subject import PATIENCE, ordinary_answers, prepare, reset
from tests.server.mutations.valid_bodies import valid_bodies
from tests.server.program import Program

MAX_GROWTH_MIB = 64
"""In the second half of the cases, when all caches are full."""
MAX_PROBLEMS = 50
MAX_LINES = 12
"""Of a traceback."""
JOBS = ("/v1/fine_tuning/jobs", "/v1/llm/fine-tunes")


@dataclass
class Report:
    n_operations: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    slowest: float = 0.0
    """Seconds."""
    slowest_case: str = ""
    mib_at_half: int = 0
    mib_at_end: int = 0


class Campaign:
    def __init__(self, program: Program, folder: Path, seed: int, n_clients: int) -> None:
        self._program = program
        self._url = program.ready_url()
        known = prepare(self._url, folder)
        api = read_api(self._url)
        self._maker = CaseMaker(api, valid_bodies(known), seed, [known.training_file, known.response])
        self._report = Report(sum(operation.takes_body for operation in api.operations))
        self._n_clients = n_clients
        self._lock = threading.Lock()

    def run(self, numbers: Sequence[int]) -> Report:
        before = ordinary_answers(self._url)
        half = len(numbers) // 2
        self._send_all(numbers[:half])
        self._report.mib_at_half = self._resident_mib()
        self._send_all(numbers[half:])
        self._check_what_is_left(before)
        return self._report

    def _send_all(self, numbers: Sequence[int]) -> None:
        address = urlsplit(self._url)
        waiting = iter(numbers)

        def work() -> None:
            client = http.client.HTTPConnection(str(address.hostname), address.port, timeout=PATIENCE)
            for number in self._take(waiting):
                self._send(client, self._maker.make(number))
            client.close()

        with ThreadPoolExecutor(self._n_clients) as pool:
            for client in [pool.submit(work) for _ in range(self._n_clients)]:
                client.result()

    def _take(self, waiting: Iterator[int]) -> Iterator[int]:
        """Yields numbers that no other client has, until the server has ended or there are too many problems."""
        while len(self._report.problems) < MAX_PROBLEMS and self._program.process.poll() is None:
            with self._lock:
                number = next(waiting, None)
            if number is None:
                return
            yield number

    def _send(self, client: http.client.HTTPConnection, case: Case) -> None:
        started = time.monotonic()
        try:
            answer = self._exchange(client, case)
            if b"system_prompt" in case.body or case.operation.path == "/lora-adapters":
                reset(self._url)
        except (OSError, http.client.HTTPException) as error:
            client.close()
            self._note(case, None, f"no answer: {error!r}", time.monotonic() - started)
            return
        self._note(case, answer, problem_of(case.operation, answer, case.target), time.monotonic() - started)
        if answer.status == 200 and case.operation.method == "POST":
            self._keep_id(case, answer)

    def _exchange(self, client: http.client.HTTPConnection, case: Case) -> Answer:
        """Sends a case once more if the connection was closed before, which a server may do in a pause."""
        try:
            return exchange(client, case)
        except ConnectionError:
            client.close()
            return exchange(client, case)

    def _note(self, case: Case, answer: Answer | None, problem: str | None, seconds: float) -> None:
        report = self._report
        with self._lock:
            report.statuses[answer.status if answer else 0] += 1
            if problem:
                said = answer.body[:1000] if answer else b""
                report.problems.append(f"{problem}\n  {case}\n  {said!r}")
            if seconds > report.slowest:
                report.slowest, report.slowest_case = seconds, str(case)[:300]

    def _keep_id(self, case: Case, answer: Answer) -> None:
        """Lets later cases name what the server has made. A job is cancelled: training takes long."""
        path = case.operation.path
        if path in (*JOBS, "/v1/files", "/v1/responses", "/api/v1/execute/{model}") and answer.body.startswith(b"{"):
            made = orjson.loads(answer.body)
            identifier = str(made.get("id") or made.get("requestId"))
            self._maker.ids.append(identifier)
            if path in JOBS:
                post(self._url, {}, f"{JOBS[0]}/{identifier}/cancel")

    def _check_what_is_left(self, before: object) -> None:
        problems = self._report.problems
        if (code := self._program.process.poll()) is not None:
            problems.append(f"the server has ended with {code}:\n{self._program.output[-3000:]}")
            return
        reset(self._url)
        if ordinary_answers(self._url) != before:
            problems.append("an ordinary request gets another text than before")
        if busy := self._busy_slots():
            problems.append(f"slots are busy although nobody asks: {busy}")
        self._report.mib_at_end = self._resident_mib()
        if self._report.mib_at_end - self._report.mib_at_half > MAX_GROWTH_MIB:
            problems.append("memory grows")
        problems += [f"in the log {count} times:\n{text}" for text, count in tracebacks(self._program.output).items()]

    def _busy_slots(self) -> list[int]:
        """Returns the slots that do not become idle in time."""
        deadline = time.monotonic() + PATIENCE
        while True:
            busy = [slot["id"] for slot in get(f"{self._url}/slots").json() if slot["is_processing"]]
            if not busy or time.monotonic() > deadline:
                return busy
            time.sleep(0.1)

    def _resident_mib(self) -> int:
        """Returns what of the server's memory is in use, in MiB."""
        path = Path(f"/proc/{self._program.process.pid}/status")
        status = path.read_text() if path.exists() else ""
        resident = re.search(r"VmRSS:\s*(\d+)", status)
        return int(resident[1]) // 1024 if resident else 0


def tracebacks(log: str) -> Counter[str]:
    """Returns the tracebacks in a log, each with its innermost calls alone, and how often it occurs."""
    found = re.findall(r"(?m)^.*\nTraceback .*\n(?:(?: .*)?\n)*?\S.*$", log)
    return Counter("\n".join(text.splitlines()[-MAX_LINES:]) for text in found)


def exchange(client: http.client.HTTPConnection, case: Case) -> Answer:
    """Returns the whole answer to a case. Raises what the connection does if there is none."""
    client.request(case.operation.method, case.target, case.body or None, case.headers)
    response = client.getresponse()
    return Answer(response.status, response.headers.get("Content-Type", ""), response.read())
