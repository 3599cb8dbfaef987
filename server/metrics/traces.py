"""Traces: a span of OpenTelemetry for each request, with the names of its conventions for generative AI."""

from typing import TYPE_CHECKING

from opentelemetry.propagate import extract
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes as gen_ai
from opentelemetry.semconv.attributes import error_attributes, http_attributes, url_attributes
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.util.types import AttributeValue

from server.http.request_log import QUIET_ROUTES
from server.http.request_record import CLIENT_LEFT, Answer, RequestRecord

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

PROVIDER = "llama_slots"
"""As `gen_ai.provider.name`, and as the service unless OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES say otherwise."""
FINISH_REASONS = {"eos": "stop", "word": "stop", "limit": "length"}
CHAT_ROUTES = ("chat", "/messages", "/responses")


class Traces:
    """Sends spans in a thread of its own. Like the log, they hold no keys, prompts or texts."""

    def __init__(self, exporter: "SpanExporter", model: str) -> None:
        known = Resource.create()
        has_name = not str(known.attributes[SERVICE_NAME]).startswith("unknown_service")
        resource = known if has_name else known.merge(Resource({SERVICE_NAME: PROVIDER}))
        self._provider = TracerProvider(resource=resource)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer(PROVIDER)
        self._model = model

    def record(self, record: RequestRecord) -> None:
        """Make the span of a request that has ended, within the trace that its client began, if it did."""
        if record.route in QUIET_ROUTES:
            return
        operation, model = _operation(record.route or ""), record.model_name(self._model)
        name = f"{operation} {model}" if record.answers else f"{record.method} {record.route or 'unknown'}"
        parent = extract(record.headers)
        span = self._tracer.start_span(name, parent, SpanKind.SERVER, start_time=record.started_at)
        span.set_attributes(_http_attributes(record))
        if record.answers:
            span.set_attributes(_generation_attributes(record.answers, operation, model))
        if record.code >= 500 or record.code == CLIENT_LEFT:
            span.set_attribute(error_attributes.ERROR_TYPE, str(record.code))
            span.set_status(Status(StatusCode.ERROR))
        span.end(record.started_at + int(record.seconds * 1e9))

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()


def _operation(route: str) -> str:
    is_chat = any(part in route for part in CHAT_ROUTES)
    values = gen_ai.GenAiOperationNameValues
    return values.CHAT.value if is_chat else values.TEXT_COMPLETION.value


def _http_attributes(record: RequestRecord) -> dict[str, AttributeValue]:
    return {
        http_attributes.HTTP_REQUEST_METHOD: record.method,
        http_attributes.HTTP_RESPONSE_STATUS_CODE: record.code,
        http_attributes.HTTP_ROUTE: record.route or "",
        url_attributes.URL_PATH: record.path,
        "http.request.header.x-request-id": [record.request_id],
    }


def _generation_attributes(answers: list[Answer], operation: str, model: str) -> dict[str, AttributeValue]:
    timings = [answer.finished.timings for answer in answers]
    attributes: dict[str, AttributeValue] = {
        gen_ai.GEN_AI_OPERATION_NAME: operation,
        gen_ai.GEN_AI_PROVIDER_NAME: PROVIDER,
        gen_ai.GEN_AI_REQUEST_MODEL: model,
        gen_ai.GEN_AI_RESPONSE_MODEL: model,
        gen_ai.GEN_AI_REQUEST_CHOICE_COUNT: len(answers),
        gen_ai.GEN_AI_RESPONSE_FINISH_REASONS: [FINISH_REASONS[answer.finished.reason] for answer in answers],
        gen_ai.GEN_AI_USAGE_INPUT_TOKENS: sum(answer.finished.n_prompt_tokens for answer in answers),
        gen_ai.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS: sum(each.cached_n for each in timings),
        gen_ai.GEN_AI_USAGE_OUTPUT_TOKENS: sum(each.predicted_n for each in timings),
        "llama_slots.prompt_ms": max(each.prompt_ms for each in timings),
        "llama_slots.predicted_ms": max(each.predicted_ms for each in timings),
        "llama_slots.slots": [answer.finished.slot_id for answer in answers],
    }
    return attributes | _option_attributes(answers[0])


def _option_attributes(answer: Answer) -> dict[str, AttributeValue]:
    sampling = answer.sampling
    attributes: dict[str, AttributeValue] = {
        gen_ai.GEN_AI_REQUEST_TEMPERATURE: sampling.temperature,
        gen_ai.GEN_AI_REQUEST_TOP_P: sampling.top_p,
        gen_ai.GEN_AI_REQUEST_TOP_K: sampling.top_k,
        gen_ai.GEN_AI_REQUEST_FREQUENCY_PENALTY: sampling.frequency_penalty,
        gen_ai.GEN_AI_REQUEST_PRESENCE_PENALTY: sampling.presence_penalty,
        gen_ai.GEN_AI_REQUEST_SEED: answer.finished.seed,
    }
    return attributes | ({gen_ai.GEN_AI_REQUEST_MAX_TOKENS: answer.n_predict} if answer.n_predict >= 0 else {})


def otlp_traces(endpoint: str, model: str) -> Traces:
    """Returns traces that are sent to a collector by OTLP over HTTP."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - not for tests

    return Traces(OTLPSpanExporter(endpoint), model)
