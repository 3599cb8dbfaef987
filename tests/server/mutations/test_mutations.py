"""The program that sends damaged bodies: each model has a right body to begin with, and wrong answers are seen."""

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import jsonschema
import orjson
import pytest

from server.api.dialects import DIALECTS
from server.api.openapi import openapi_document
from tests.server.mutations.answers import Answer, problem_of
from tests.server.mutations.campaign import Campaign, tracebacks
from tests.server.mutations.operations import Operation
from tests.server.mutations.schema_values import value_of
from tests.server.mutations.subject import running_subject
from tests.server.mutations.valid_bodies import Known, valid_bodies
from tests.server.program import Program

N_BODIES = 150
BODIES = valid_bodies(Known("file-1", "resp_1", "random", "random.gguf", "saved.bin", "<__media__>"))
DOCUMENT: Any = openapi_document(DIALECTS)
MODELS = sorted({body.__name__ for dialect in DIALECTS for each in dialect.endpoints for body in each.bodies})
OPERATION = Operation("POST", "/a", (), (), (), ({"type": "object", "required": ["error"]},))
EVENTS = "text/event-stream"
JSON = "application/json"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("subject")


@pytest.fixture(scope="module")
def subject(folder: Path) -> Iterator[Program]:
    with running_subject(folder) as program:
        yield program


def test_damaged_bodies_are_answered_by_every_dialect(subject: Program, folder: Path) -> None:
    report = Campaign(subject, folder, seed=1, n_clients=4).run(range(N_BODIES))
    assert not report.problems
    assert report.statuses.total() == N_BODIES
    assert {200, 400} <= report.statuses.keys()


@pytest.mark.parametrize("model", MODELS)
def test_each_model_of_a_body_has_right_ones(model: str) -> None:
    validator = jsonschema.Draft202012Validator({"$ref": f"#/components/schemas/{model}", **DOCUMENT})
    assert BODIES[model]
    for body in BODIES[model]:
        validator.validate(body)


@pytest.mark.parametrize("model", MODELS)
def test_a_model_without_right_bodies_gets_those_of_its_schema(model: str) -> None:
    schemas = DOCUMENT["components"]["schemas"]
    body = value_of(schemas[model], schemas, Random(1))
    assert schemas[model].get("required", []) == [name for name in schemas[model].get("required", []) if name in body]
    assert orjson.dumps(body)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (Answer(500, JSON, b'{"error": {"message": "a: b"}}'), "status 500"),
        (Answer(503, JSON, b'{"error": {"message": "a: b"}}'), "status 503"),
        (Answer(400, JSON, b"a: b"), "an error that is no JSON"),
        (Answer(400, JSON, b'{"detail": "a: b"}'), "an error in another shape than its dialect's"),
        (Answer(400, JSON, b'{"error": {"message": "wrong"}}'), "an error that names no field"),
        (Answer(501, JSON, b'{"error": {"message": ""}}'), "an error without words"),
        (Answer(200, JSON, b'{"a": NaN}'), "a body that is no JSON: NaN is no JSON"),
        (Answer(200, EVENTS, b"data: {\n\n"), "an event that is no JSON"),
        (Answer(200, EVENTS, b'data: {"error": {"code": 500}}\n\n'), "an event that tells of a defect"),
        (Answer(200, EVENTS, b'data: {"type": "response.failed"}\n\n'), "an event that tells of a defect"),
        (Answer(302, "text/html", b""), "status 302"),
    ],
)
def test_a_wrong_answer_is_a_problem(answer: Answer, problem: str) -> None:
    found = problem_of(OPERATION, answer)
    assert found is not None
    assert found.startswith(problem)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, JSON, b'{"a": 1}'),
        Answer(400, JSON, b'{"error": {"message": "a.b[0]: expected c"}}'),
        Answer(501, JSON, b'{"error": {"message": "not supported"}}'),
        Answer(200, EVENTS, b'event: a\ndata: {"type": "a"}\n\n:\n\ndata: [DONE]\n\n'),
        Answer(200, "application/x-ndjson", b'{"done": false}\n {"done": true}\n'),
        Answer(200, "text/plain", b"fine"),
    ],
)
def test_a_right_answer_is_none(answer: Answer) -> None:
    assert problem_of(OPERATION, answer) is None


def test_a_traceback_in_the_log_is_found() -> None:
    trace = "12:00:00 error: POST /a failed\nTraceback (most recent call last):\n  File 'a'\n    a()\nKeyError: 'a'\n"
    assert sum(tracebacks(f"12:00:00 fine\n{trace}12:00:01 fine\n{trace}").values()) == 2
    assert not tracebacks("12:00:00 fine\n")
