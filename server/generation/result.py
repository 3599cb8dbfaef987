"""result_json: the whole of one generation, as /completion returns it and other dialects show it to who debugs them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from server.generation.cache_miss import cache_miss_json
from server.generation.completion_output import CompletionOutput, timings_json
from server.generation.generation_settings import all_options_json
from server.generation.logprobs import probabilities_json
from server.generation.prompts import Prompt
from server.options.generation_options import GenerationOptions
from server.options.lora import adapters_json
from slots.llama import Vocab
from slots.requests.events import Finished, StopReason
from slots.requests.media import text_tokens


@dataclass(frozen=True, slots=True)
class ResultContext:
    """What the results of one request have in common."""

    options: GenerationOptions
    vocab: Vocab
    model: str
    n_ctx: int
    output_settings: Mapping[str, object] = field(default_factory=dict)
    """How the text was generated and taken apart, besides the options."""


def result_json(output: CompletionOutput, finished: Finished, context: ResultContext) -> dict[str, object]:
    """Returns the result of one output. It leaves out what the chunks of a stream held."""
    options, stream = context.options, context.options.stream
    result: dict[str, object] = {
        "index": output.index,
        "content": "" if stream else output.content,
        "tokens": output.tokens if options.return_tokens and not stream else [],
        "stop": True,
        "slot_id": finished.slot_id,
        "id_slot": finished.slot_id,
        "model": context.model,
        "prompt": _prompt_text(output.prompt, context.vocab),
        "generation_settings": _settings(output, finished, context),
        "stopped_eos": finished.reason is StopReason.EOS,
        "stopped_limit": finished.reason is StopReason.LIMIT,
        "stopped_word": finished.reason is StopReason.WORD,
        "stop_type": finished.reason,
        "stopping_word": finished.stopping_word,
        "has_new_line": finished.has_new_line,
        "truncated": finished.truncated,
        "tokens_predicted": finished.timings.predicted_n,
        "tokens_evaluated": finished.n_prompt_tokens,
        "tokens_cached": finished.timings.cached_n,
        "timings": timings_json(finished.timings),
        "cache_miss": cache_miss_json(finished.cache_miss, output.request, context.vocab),
    }
    if output.logprobs and not stream:
        after_sampling = options.post_sampling_probs
        positions = probabilities_json(output.logprobs, context.vocab, after_sampling=after_sampling)
        result["completion_probabilities"] = positions
    return result


def _prompt_text(prompt: Prompt, vocab: Vocab) -> str:
    """Returns the text of a prompt's tokens; with media, which have none, the text that the request gave."""
    if prompt.media and isinstance(prompt.original, str):
        return prompt.original
    return vocab.display_all(text_tokens(prompt.tokens[prompt.n_system :]))


def verbose_json(output: CompletionOutput, finished: Finished, context: ResultContext) -> dict[str, object]:
    """Returns the members that `verbose` adds to a response: the result, with the text of the prompt's tokens."""
    if not context.options.verbose:
        return {}
    prompt = context.vocab.display_all(text_tokens(output.request.prompt))
    return {"__verbose": {**result_json(output, finished, context), "prompt": prompt}}


def _settings(output: CompletionOutput, finished: Finished, context: ResultContext) -> dict[str, object]:
    request, options = output.request, context.options
    return {
        **all_options_json(request, request.sampling, options.constraint, context.vocab),
        "lora": adapters_json(request.adapters),
        "seed": finished.seed,
        "stop": request.stop,
        "stream": options.stream,
        "return_tokens": options.return_tokens,
        "slot_id": request.slot_id,
        "cache_salt": options.cache_salt,
        "n_ctx": context.n_ctx,
        "model": context.model,
        **context.output_settings,
    }
