"""RequestLog: one line for each request, and its numbers for a log of JSON objects."""

import logging

from server.http.request_record import Answer, RequestRecord
from slots.requests.events import Finished, StopReason

logger = logging.getLogger("server")

QUIET_ROUTES = frozenset(
    {"/health", "/v1/health", "/ready", "/livez", "/metrics", "/slots", "/pool", "/ui/{name:path}"}
)
"""What machines and pages ask all the time is logged only if it fails, or in a verbose log."""


class RequestLog:
    """Keys, prompts and texts never appear, unless the answers of a record hold them. Neither does the message of a
    bad request, which may quote it."""

    def __init__(self, model: str, *, shows_texts: bool) -> None:
        self._model = model
        self._shows_texts = shows_texts

    def write(self, record: RequestRecord) -> None:
        is_quiet = record.route in QUIET_ROUTES and record.code < 400
        level = logging.DEBUG if is_quiet else logging.WARNING if record.code >= 500 else logging.INFO
        if logger.isEnabledFor(level):
            logger.log(level, "%s", self._line(record), extra={"fields": self._fields(record)})

    def _line(self, record: RequestRecord) -> str:
        path = ascii(record.path)[1:-1]  # which may have line breaks
        what = f"{record.method} {path} {record.code} in {record.seconds * 1000:.0f} ms"
        if record.error is not None and not record.client_left:
            return f"{what}: {self._reason(record)}"
        model = record.model_name(self._model)
        shown = model if model.isprintable() else ascii(model)[1:-1]  # names of adapters come from requests
        parts = [f"{shown}, {describe_answers(record.answers)}"] if record.answers else []
        parts += ["the client went away"] if record.client_left else []
        for answer in record.answers:
            if answer.texts is not None:
                prompt, text = answer.texts
                parts.append(f"prompt {prompt!r}, text {text!r}")
        return f"{what}: {'; '.join(parts)}" if parts else what

    def _reason(self, record: RequestRecord) -> str:
        """Returns why a request failed."""
        error = record.error
        assert error
        if record.code >= 500 or self._shows_texts:
            return ascii(str(error))[1:-1]
        return f"{error.error_type} in {error.field}" if error.field else error.error_type

    def _fields(self, record: RequestRecord) -> dict[str, object]:
        fields: dict[str, object] = {
            "method": record.method,
            "path": record.path,
            "route": record.route,
            "status": record.code,
            "duration_ms": round(record.seconds * 1000, 3),
            "model": record.model_name(self._model),
        }
        if record.client_left:
            fields["error"] = "the client went away"
        elif record.error is not None:
            fields |= {"error": self._reason(record), "error_type": record.error.error_type}
        if record.answers:
            fields["answers"] = [_answer_fields(answer) for answer in record.answers]
        return fields


def describe_answers(answers: list[Answer]) -> str:
    """Returns what the answers of a request cost, and why they ended."""
    if len(answers) == 1:
        return _describe(answers[0])
    timings = [answer.finished.timings for answer in answers]
    n_prompt, n_cached = sum(answer.finished.n_prompt_tokens for answer in answers), sum(t.cached_n for t in timings)
    n_generated = sum(t.predicted_n for t in timings)
    reasons = ", ".join(dict.fromkeys(why_it_stopped(answer.finished, answer.n_predict) for answer in answers))
    counts = f"{len(answers)} answers: {n_prompt} tokens of prompts, {n_cached} reused; generated {n_generated} tokens"
    return f"{counts}; {reasons}"


def _describe(answer: Answer) -> str:
    finished, timings = answer.finished, answer.finished.timings
    return (
        f"slot {finished.slot_id}: prompt of {finished.n_prompt_tokens} tokens, {timings.cached_n} reused, the rest in"
        f" {timings.prompt_ms:.0f} ms; generated {timings.predicted_n} tokens at {timings.predicted_per_second:.1f}"
        f" tokens/s; {why_it_stopped(finished, answer.n_predict)}"
    )


def why_it_stopped(finished: Finished, n_predict: int) -> str:
    if finished.truncated and finished.reason is StopReason.LIMIT and finished.timings.predicted_n != n_predict:
        return "the context was full"
    reasons = {
        StopReason.EOS: "the model ended it",
        StopReason.LIMIT: "n_predict was reached",
        StopReason.WORD: "a stop string was found",
    }
    return reasons[finished.reason] + (", beyond the end of the context" if finished.truncated else "")


def _answer_fields(answer: Answer) -> dict[str, object]:
    finished, timings, miss = answer.finished, answer.finished.timings, answer.finished.cache_miss
    fields: dict[str, object] = {
        "slot": finished.slot_id,
        "prompt_tokens": finished.n_prompt_tokens,
        "cached_tokens": timings.cached_n,
        "generated_tokens": timings.predicted_n,
        "prompt_ms": round(timings.prompt_ms, 3),
        "predicted_ms": round(timings.predicted_ms, 3),
        "tokens_per_second": round(timings.predicted_per_second, 2),
        "finish_reason": finished.reason,
        "why": why_it_stopped(finished, answer.n_predict),
        "cache_miss": None if miss is None else {"at_token": miss.at_token, "reason": miss.reason},
    }
    return fields if answer.texts is None else {**fields, "prompt": answer.texts[0], "text": answer.texts[1]}
