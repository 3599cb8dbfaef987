"""engine_families: the engine's own series. Those that vLLM has as well are called as there, after the prefix."""

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric

from server.metrics.families import Families
from slots.engine import Engine


def engine_families(engine: Engine, families: Families) -> Iterator[Metric]:
    yield from _queue(engine, families)
    yield from _cache(engine, families)
    yield from _steps(engine, families)
    yield from _requests(engine, families)


def _queue(engine: Engine, families: Families) -> Iterator[Metric]:
    yield families.gauge("slots", "Requests that can run at once", engine.n_slots)
    yield families.gauge("num_requests_running", "Requests that have a slot", engine.n_running)
    yield families.gauge("num_requests_waiting", "Requests that wait for a slot", engine.n_waiting)


def _cache(engine: Engine, families: Families) -> Iterator[Metric]:
    cache, use = engine.stats.cache, engine.cache_use()
    yield families.gauge("kv_cells", "Tokens that the KV cache has room for", use.n_cells)
    yield families.gauge("kv_cells_used", "Tokens in the KV cache", use.n_cells_used)
    yield families.gauge("kv_cache_usage_perc", "Share of the KV cache in use, 0 to 1", use.share)
    yield families.gauge("parked_bytes", "Host memory of sequences that lost their slots", use.n_parked_bytes)
    yield families.gauge("parked_sequences", "Sequences in host memory", use.n_parked)
    yield families.counters(
        "prefix_cache_hits",
        "Prefixes found in the cache, by where they were",
        "source",
        {source.value: count for source, count in cache.hits.items()},
    )
    yield families.counters(
        "prefix_cache_hit_tokens",
        "Prompt tokens found in the cache, by where they were",
        "source",
        {source.value: count for source, count in cache.hit_tokens.items()},
    )
    yield families.counters(
        "prefix_cache_misses",
        "Prompts of which more might have been cached, by why it was not",
        "reason",
        {reason.value: count for reason, count in cache.misses.items()},
    )
    evictions = {"slot": cache.n_evicted_slots, "parked": cache.n_evicted_parked, "request": cache.n_preempted}
    yield families.counters("evictions", "What had to make room: idle slots, parked ones, requests", "what", evictions)


def _steps(engine: Engine, families: Families) -> Iterator[Metric]:
    stats, threads = engine.stats, engine.thread_numbers()
    rest = max(stats.busy_seconds - stats.decode_seconds - stats.sampling_seconds, 0.0)
    yield families.counter("steps", "Batches computed", stats.n_decodes)
    yield families.counters(
        "step_seconds",
        "Time of the engine's thread, by what it did",
        "phase",
        {"decode": stats.decode_seconds, "sampling": stats.sampling_seconds, "rest": rest},
    )
    yield families.counter("graphs_reused", "Passes with the graph of the one before", stats.n_graphs_reused)
    numbers = {"few": threads.few, "many": threads.many}
    yield families.gauges("threads", "CPU threads of the latest steps of few or many tokens", "tokens", numbers)
    yield families.counter("draft_tokens", "Tokens drafted", stats.n_drafted_tokens)
    yield families.counter("accepted_tokens", "Drafted tokens that were accepted", stats.n_accepted_tokens)


def _requests(engine: Engine, families: Families) -> Iterator[Metric]:
    stats, histogram = engine.stats, families.histogram
    yield families.counter("prompt_tokens", "Prompt tokens computed", stats.cache.n_computed_tokens)
    yield families.counter("generation_tokens", "Tokens generated", stats.generated_tokens)
    yield families.counters(
        "requests_finished", "Completions that have ended, by the reason", "finished_reason", dict(stats.finished)
    )
    yield histogram("time_to_first_token_seconds", "Arrival to first token", stats.time_to_first_token)
    yield histogram("inter_token_latency_seconds", "Between two steps with tokens", stats.inter_token_latency)
    yield histogram("e2e_request_latency_seconds", "Arrival to last token", stats.e2e_request_latency)
    yield histogram("request_queue_time_seconds", "Arrival to slot", stats.request_queue_time)
    yield histogram("request_prefill_time_seconds", "Slot to computed prompt", stats.request_prefill_time)
    yield histogram("request_decode_time_seconds", "Computed prompt to last token", stats.request_decode_time)
    yield histogram("request_prompt_tokens", "Tokens of prompts", stats.request_prompt_tokens)
    yield histogram("request_generation_tokens", "Tokens of answers", stats.request_generation_tokens)
