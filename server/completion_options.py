"""The options of a completion: JSON to the engine's terms."""

from dataclasses import dataclass

from server.fields import Fields, expected, first_given, read_boolean, read_integer, read_number
from server.logit_bias import read_logit_bias
from server.settings import CompletionDefaults
from server.unsupported import refuse_unsupported
from slots.errors import InvalidRequest
from slots.llama import Vocab
from slots.request import CompletionRequest, SamplingParams


@dataclass(frozen=True, slots=True)
class CompletionOptions:
    """Everything that a request says besides its prompts, which all share it."""

    sampling: SamplingParams
    n_predict: int
    stop: tuple[str, ...]
    n_keep: int
    slot_id: int
    cache_prompt: bool
    stream: bool
    return_tokens: bool

    def request(self, prompt: tuple[int, ...], session: str) -> CompletionRequest:
        """Returns what to ask the engine for. Raises InvalidRequest for a value out of its range."""
        return CompletionRequest(
            prompt=prompt,
            sampling=self.sampling,
            n_predict=self.n_predict,
            stop=self.stop,
            n_keep=self.n_keep,
            slot_id=self.slot_id,
            session=session,
            cache_prompt=self.cache_prompt,
        )


def read_options(fields: Fields, vocab: Vocab, defaults: CompletionDefaults) -> CompletionOptions:
    """Returns the options of a request; `defaults` stand for those that it leaves out.

    Raises InvalidRequest, which names the field, for a wrong type and for a sampling option out of its range, and
    ApiError (501) for an option that is not supported.
    """
    refuse_unsupported(fields)
    _refuse_several_choices(fields)
    n_predict = first_given(fields, "n_predict", "max_completion_tokens", "max_tokens")
    return CompletionOptions(
        sampling=_read_sampling(fields, vocab, defaults.sampling),
        n_predict=read_integer(fields, n_predict, defaults.n_predict),
        stop=_read_stop(fields.get("stop")),
        n_keep=read_integer(fields, "n_keep", defaults.n_keep),
        slot_id=_read_slot_id(fields),
        cache_prompt=read_boolean(fields, "cache_prompt", defaults.cache_prompt),
        stream=read_boolean(fields, "stream", False),
        return_tokens=read_boolean(fields, "return_tokens", False),
    )


def _read_sampling(fields: Fields, vocab: Vocab, defaults: SamplingParams) -> SamplingParams:
    return SamplingParams(
        temperature=read_number(fields, "temperature", defaults.temperature),
        top_k=read_integer(fields, "top_k", defaults.top_k),
        top_p=read_number(fields, "top_p", defaults.top_p),
        min_p=read_number(fields, "min_p", defaults.min_p),
        repeat_penalty=read_number(fields, "repeat_penalty", defaults.repeat_penalty),
        repeat_last_n=read_integer(fields, "repeat_last_n", defaults.repeat_last_n),
        penalize_nl=read_boolean(fields, "penalize_nl", defaults.penalize_nl),
        presence_penalty=read_number(fields, "presence_penalty", defaults.presence_penalty),
        frequency_penalty=read_number(fields, "frequency_penalty", defaults.frequency_penalty),
        seed=read_integer(fields, "seed", defaults.seed),
        ignore_eos=read_boolean(fields, "ignore_eos", defaults.ignore_eos),
        logit_bias=read_logit_bias(fields.get("logit_bias"), vocab, defaults.logit_bias),
        n_probs=read_integer(fields, first_given(fields, "n_probs", "logprobs"), defaults.n_probs),
    )


def _read_stop(value: object) -> tuple[str, ...]:
    words = [] if value is None else [value] if isinstance(value, str) else value
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise expected("stop", "a string or a list of strings", value)
    return tuple(word for word in words if word)


def _read_slot_id(fields: Fields) -> int:
    slot_id = read_integer(fields, "slot_id", -1)
    id_slot = read_integer(fields, "id_slot", slot_id)
    if fields.get("slot_id") is not None and slot_id != id_slot:
        raise InvalidRequest("id_slot", f"expected the same as slot_id, {slot_id}, or only one of them, got {id_slot}")
    return id_slot


def _refuse_several_choices(fields: Fields) -> None:
    n = read_integer(fields, "n", 1)
    if n != 1:
        raise expected("n", "1, since each prompt gets one completion", n)
