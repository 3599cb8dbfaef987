"""Spans as an exporter gets them, and as a collector does."""

import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from server.http.errors import ApiError
from server.http.request_record import Answer, RequestRecord
from server.lifecycle.serving import observers_of
from server.metrics.traces import Traces
from server.settings import Settings
from slots.errors import InvalidRequest
from slots.requests.sampling_params import SamplingParams
from tests.server.cli.flag_parsing import get_error
from tests.server.http.test_request_log import FINISHED
from tests.server.http_client import DETERMINISTIC, SECONDS, post
from tests.server.program import PROGRAM, running

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def span_of(**fields: Any) -> ReadableSpan:
    """Returns the span of a request."""
    exporter = InMemorySpanExporter()
    traces = Traces(exporter, "tiny")
    record = RequestRecord("id-1", "POST", "/v1/chat/completions", route="/v1/chat/completions", status=200)
    for name, value in fields.items():
        setattr(record, name, value)
    traces.record(record)
    traces.close()
    (span,) = exporter.get_finished_spans()
    return span


def test_the_model_of_a_span_has_its_adapters() -> None:
    span = span_of(answers=[Answer(FINISHED, 128, SamplingParams())], adapters=("tales",))
    assert span.name == "chat tiny:tales"
    assert (span.attributes or {})["gen_ai.request.model"] == "tiny:tales"


def test_a_generation_has_the_names_of_the_conventions() -> None:
    answer = Answer(FINISHED, 128, SamplingParams(temperature=0.5, top_p=0.9, top_k=20))
    span = span_of(answers=[answer], seconds=1.5)
    assert (span.name, span.kind) == ("chat tiny", SpanKind.SERVER)
    assert span.start_time is not None
    assert span.end_time == span.start_time + 1_500_000_000
    assert dict(span.attributes or {}) == {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "http.route": "/v1/chat/completions",
        "url.path": "/v1/chat/completions",
        "http.request.header.x-request-id": ("id-1",),
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "llama_slots",
        "gen_ai.request.model": "tiny",
        "gen_ai.response.model": "tiny",
        "gen_ai.request.choice.count": 1,
        "gen_ai.response.finish_reasons": ("length",),
        "gen_ai.usage.input_tokens": 34,
        "gen_ai.usage.cache_read.input_tokens": 20,
        "gen_ai.usage.output_tokens": 128,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.top_p": 0.9,
        "gen_ai.request.top_k": 20,
        "gen_ai.request.frequency_penalty": 0.0,
        "gen_ai.request.presence_penalty": 0.0,
        "gen_ai.request.seed": 1,
        "gen_ai.request.max_tokens": 128,
        "llama_slots.prompt_ms": 12.4,
        "llama_slots.predicted_ms": 640.0,
        "llama_slots.slots": (2,),
    }


def test_a_span_goes_on_with_the_trace_of_the_client() -> None:
    span = span_of(headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})
    assert span.parent is not None
    assert f"{span.context.trace_id:032x}" == TRACE
    assert f"{span.parent.span_id:016x}" == PARENT


def test_a_failure_of_the_server_is_an_error() -> None:
    span = span_of(error=ApiError(500, "broken"))
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})["error.type"] == "500"


def test_a_bad_request_is_none_and_has_no_text() -> None:
    span = span_of(error=ApiError(400, "prompt: expected a string, got secret", field="prompt"), status=400)
    assert span.status.status_code is StatusCode.UNSET
    assert "secret" not in span.to_json()


@pytest.fixture
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """The URL of a collector, and what it has got."""
    got: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Stay silent."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1/traces", got
        server.shutdown()


def test_a_server_sends_its_spans_to_a_collector_at_its_end_at_the_latest(
    collector: tuple[str, list[bytes]], tmp_path: Path
) -> None:
    url, got = collector
    with running(tmp_path, *PROGRAM, "-t", "1", "--otlp-traces-endpoint", url) as program:
        assert post(program.ready_url(), DETERMINISTIC).status_code == 200
        program.process.terminate()
        assert program.process.wait(SECONDS) == 0
    (resource,) = ExportTraceServiceRequest.FromString(got[0]).resource_spans
    assert {each.key: each.value.string_value for each in resource.resource.attributes}["service.name"] == "llama_slots"
    (span,) = resource.scope_spans[0].spans
    assert span.name == "text_completion bundled"


def test_the_endpoint_is_an_url(capsys: pytest.CaptureFixture[str]) -> None:
    assert "expected an URL" in get_error(capsys, "--otlp-traces-endpoint", "localhost:4318")


def test_without_the_extra_the_flag_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "server.metrics.traces", None)
    settings = Settings(Path("model.gguf"), "tiny", otlp_traces_endpoint="http://127.0.0.1:1/v1/traces")
    with pytest.raises(InvalidRequest, match=r"expected the extra `otel`"), observers_of(settings):
        pass
