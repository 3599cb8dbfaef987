"""POST /infill: the text between a prefix and a suffix, for code editors."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request

from server.api.llama.completion import CompletionFormatter
from server.generation.endpoint import ParsedRequest
from server.generation.options import read_options
from server.generation.prompts import Prompt, tokenize_mixed
from server.http.errors import ApiError
from server.http.fields import Fields, as_string, invalid_value, naming_field, read_string
from server.state import get_engine, get_settings
from slots.engine import Engine
from slots.llama import Vocab

PROJECT = "myproject"
FILE = "filename"
"""What the repository and the file with the gap are called, since requests do not say."""
SNIPPET = "\n\n--- snippet ---\n\n"
"""What stands before each further text where the model has no token for it."""

MAX_UNCOUNTED_TOKENS = 3
"""Tokens that a prompt may have more than `Room` says: not all of those between the parts are counted."""

Tokens = Sequence[int]


@dataclass(frozen=True, slots=True)
class FimTokens:
    """The tokens around the parts."""

    prefix: int
    suffix: int
    middle: int
    bos: Tokens = ()
    """BOS, where the model wants it."""


@dataclass(frozen=True, slots=True)
class InfillContext:
    """What stands around the text that is asked for."""

    prefix: Tokens
    suffix: Tokens
    middle_start: Tokens = ()
    """The text's own beginning; it follows the prefix."""
    extra: Tokens = ()
    """Of other places in the project, with what separates them."""


@dataclass(frozen=True, slots=True)
class TokenBudget:
    """How many tokens of which part there is room for."""

    around: int
    extra: int


def token_budget(n_predict: int, n_ctx: int, n_batch: int, *, has_extra: bool) -> TokenBudget:
    """Returns what a context of `n_ctx` tokens has room for beside an answer of `n_predict` tokens, -1 for no limit.

    Prefix and suffix get a batch, and what is left goes to the extra tokens; of a small context these get a quarter if
    there are any. How much that is does not depend on how long prefix and suffix are: else the extra tokens would be
    cut elsewhere with each key that is pressed, and none of them found in the cache. For the same reason all short
    answers are left the same room.
    """
    n_text = min(max(n_predict, n_ctx // 8), n_ctx // 2)
    n_free = n_ctx - n_text - MAX_UNCOUNTED_TOKENS
    around = min(n_batch, 3 * n_free // 4 if has_extra else n_free)
    return TokenBudget(around, n_free - around)


def infill_prompt(
    context: InfillContext, fim: FimTokens, budget: TokenBudget, *, suffix_first: bool
) -> tuple[int, ...]:
    """Returns the prompt. Of `room.around` a quarter is for the suffix and the text's beginning, the rest for the
    prefix; both are cut at their far ends."""
    quarter = budget.around // 4
    n_suffix = min(len(context.suffix), max(0, quarter - 2 - len(context.middle_start)))
    before = [*_last(context.prefix, 3 * quarter), *context.middle_start]
    prefix = [fim.prefix, *_last(before, 4 * quarter - 2 - n_suffix)]
    suffix = [fim.suffix, *context.suffix[:n_suffix]]
    around = suffix + prefix if suffix_first else prefix + suffix
    return (*fim.bos, *_last(context.extra, budget.extra), *around, fim.middle)


def _last(tokens: Tokens, n_tokens: int) -> Tokens:
    return tokens[max(0, len(tokens) - n_tokens) :]


SHAPES = "a string, or a list of strings and token ids"
UNNAMED = "tmp"


@dataclass(frozen=True, slots=True)
class Chunk:
    """A text from another place in the project."""

    filename: str
    text: str


def read_infill(request: Request, fields: Fields) -> ParsedRequest:
    """Returns what a body asks for. Raises InvalidRequest, which names the field, and ApiError (501) for an option that
    is not supported and for a model that cannot fill gaps."""
    engine, settings = get_engine(request), get_settings(request)
    marks = get_fim_tokens(engine.vocab)
    options = read_options(fields, engine, settings.defaults, streams=True)
    gap = _read_context(fields, engine.vocab)
    prompt = make_infill_prompt(gap, marks, engine, options.n_predict, suffix_first=settings.spm_infill)
    return options, [prompt], CompletionFormatter(engine.vocab, settings.alias, engine.n_ctx_slot, options)


def get_fim_tokens(vocab: Vocab) -> FimTokens:
    """Returns the tokens with which the model fills gaps. Raises ApiError (501), which names those that it lacks."""
    prefix, suffix, middle = vocab.fim_pre, vocab.fim_suf, vocab.fim_mid
    if prefix is None or suffix is None or middle is None:
        tokens = {"prefix": prefix, "suffix": suffix, "middle": middle}
        missing = ", ".join(name for name, token in tokens.items() if token is None)
        raise ApiError(501, f"this model cannot fill gaps: its vocabulary has no token for the {missing}")
    beginning = (vocab.bos,) if vocab.add_bos and vocab.bos is not None else ()
    return FimTokens(prefix, suffix, middle, beginning)


def make_infill_prompt(
    context: InfillContext, fim: FimTokens, engine: Engine, n_predict: int, *, suffix_first: bool
) -> Prompt:
    """Returns the prompt for a gap, cut to fit into a slot of `engine` beside an answer of `n_predict` tokens."""
    room = token_budget(n_predict, engine.n_ctx_slot, engine.n_batch, has_extra=len(context.extra) > 0)
    tokens = infill_prompt(context, fim, room, suffix_first=suffix_first)
    return Prompt(engine.vocab.display_all(tokens), tokens, n_system=0)


def _read_context(fields: Fields, vocab: Vocab) -> InfillContext:
    return InfillContext(
        prefix=read_mixed("input_prefix", fields.get("input_prefix"), vocab),
        suffix=read_mixed("input_suffix", fields.get("input_suffix"), vocab),
        middle_start=_tokenize("prompt", read_string(fields, "prompt", ""), vocab),
        extra=_extra_tokens(_read_chunks(fields.get("input_extra")), vocab),
    )


def read_mixed(name: str, value: object, vocab: Vocab) -> list[int]:
    """Returns the tokens of what stands on one side of a gap. Raises InvalidRequest, which names `name`."""
    if isinstance(value, str):
        return _tokenize(name, value, vocab)
    if not isinstance(value, list):
        raise invalid_value(name, SHAPES, value)
    return tokenize_mixed(name, value, vocab, lambda index, text: _tokenize(f"{name}[{index}]", text, vocab))


def _read_chunks(value: object) -> list[Chunk]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise invalid_value("input_extra", "a list of objects with text and filename", value)
    return [_read_chunk(f"input_extra[{index}]", chunk) for index, chunk in enumerate(value)]


def _read_chunk(name: str, value: object) -> Chunk:
    if not isinstance(value, dict):
        raise invalid_value(name, "an object with text and filename", value)
    filename = value.get("filename")
    return Chunk(
        filename=UNNAMED if filename is None else as_string(f"{name}.filename", filename),
        text=as_string(f"{name}.text", value.get("text")),
    )


def _extra_tokens(chunks: list[Chunk], vocab: Vocab) -> list[int]:
    """The chunks as models with tokens for repositories and files were trained to read them, the file with the gap
    last; for other models, with a line between them."""
    name, sep = "input_extra", vocab.fim_sep
    if not chunks:
        return []
    if sep is None:
        return [token for chunk in chunks for token in _tokenize(name, SNIPPET + chunk.text, vocab)]
    tokens = [] if vocab.fim_rep is None else [vocab.fim_rep, *_tokenize(name, f"{PROJECT}\n", vocab)]
    for chunk in chunks:
        tokens += [sep, *_tokenize(name, f"{chunk.filename}\n", vocab), *_tokenize(name, chunk.text, vocab)]
    return [*tokens, sep, *_tokenize(name, f"{FILE}\n", vocab)]


def _tokenize(name: str, text: str, vocab: Vocab) -> list[int]:
    """The text of a file: nothing in it is read as a special token, and nothing is put in front."""
    with naming_field(name):
        return vocab.tokenize_plain(text, add_special=False, parse_special=False)
