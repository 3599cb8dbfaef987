"""log_finished: one line of the log for each finished completion."""

import logging

from slots.requests.events import Finished, StopReason

logger = logging.getLogger("server")


def log_finished(finished: Finished, n_predict: int) -> None:
    timings = finished.timings
    logger.info(
        "slot %d: prompt of %d tokens, %d reused, the rest in %.0f ms; generated %d tokens at %.1f tokens/s; %s",
        finished.slot_id,
        finished.n_prompt_tokens,
        timings.cached_n,
        timings.prompt_ms,
        timings.predicted_n,
        timings.predicted_per_second,
        _why_it_stopped(finished, n_predict),
    )


def _why_it_stopped(finished: Finished, n_predict: int) -> str:
    if finished.truncated and finished.reason is StopReason.LIMIT and finished.timings.predicted_n != n_predict:
        return "the context was full"
    reasons = {
        StopReason.EOS: "the model ended it",
        StopReason.LIMIT: "n_predict was reached",
        StopReason.WORD: "a stop string was found",
    }
    return reasons[finished.reason] + (", beyond the end of the context" if finished.truncated else "")
