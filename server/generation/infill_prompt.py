"""Infill prompts: a prefix and a suffix as models for fill-in-the-middle read them."""

from collections.abc import Sequence
from dataclasses import dataclass

from server.generation.prompts import Prompt, tokenize_mixed
from server.http.errors import ApiError
from server.http.fields import invalid_value, naming_field
from slots.engine import Engine
from slots.llama import Vocab

MIXED_SHAPES = "a string, or a list of strings and token ids"
PROJECT = "myproject"
FILE = "filename"
"""Names of the repository and of the file with the gap, which requests do not have."""
SNIPPET = "\n\n--- snippet ---\n\n"
"""Precedes each further text if the model has no token for that."""

MAX_UNCOUNTED_TOKENS = 3
"""Tokens that a prompt may have beyond its TokenBudget: not all of those between the parts are counted."""

Tokens = Sequence[int]


@dataclass(frozen=True, slots=True)
class FimTokens:
    """The tokens around the parts."""

    prefix: int
    suffix: int
    middle: int
    bos: Tokens = ()
    """BOS, if the model wants it."""


@dataclass(frozen=True, slots=True)
class InfillContext:
    """What surrounds the text to generate."""

    prefix: Tokens
    suffix: Tokens
    middle_start: Tokens = ()
    """Beginning of the text itself; it follows the prefix."""
    extra: Tokens = ()
    """Texts of other files, with what separates them."""


@dataclass(frozen=True, slots=True)
class TokenBudget:
    """The maximum number of tokens of each part."""

    around: int
    extra: int


def token_budget(n_predict: int, n_ctx: int, n_batch: int, *, has_extra: bool) -> TokenBudget:
    """Returns what fits into a context of `n_ctx` tokens with an answer of `n_predict` tokens, -1 for no limit.

    Prefix and suffix get a batch, and the rest goes to the extra tokens; of a small context these get a quarter if
    there are any. The budget does not depend on the length of prefix and suffix: otherwise each key press would cut the
    extra tokens at another place, and none of them would be found in the cache. For the same reason all short answers
    leave the same budget.
    """
    n_text = min(max(n_predict, n_ctx // 8), n_ctx // 2)
    n_free = n_ctx - n_text - MAX_UNCOUNTED_TOKENS
    around = min(n_batch, 3 * n_free // 4 if has_extra else n_free)
    return TokenBudget(around, n_free - around)


def infill_prompt(
    context: InfillContext, fim: FimTokens, budget: TokenBudget, *, suffix_first: bool
) -> tuple[int, ...]:
    """Returns the tokens of the prompt. A quarter of `budget.around` is for the suffix and the text's beginning, the
    rest for the prefix; both are cut at their far ends."""
    quarter = budget.around // 4
    n_suffix = min(len(context.suffix), max(0, quarter - 2 - len(context.middle_start)))
    before = [*_last(context.prefix, 3 * quarter), *context.middle_start]
    prefix = [fim.prefix, *_last(before, 4 * quarter - 2 - n_suffix)]
    suffix = [fim.suffix, *context.suffix[:n_suffix]]
    around = suffix + prefix if suffix_first else prefix + suffix
    return (*fim.bos, *_last(context.extra, budget.extra), *around, fim.middle)


def _last(tokens: Tokens, n_tokens: int) -> Tokens:
    return tokens[max(0, len(tokens) - n_tokens) :]


@dataclass(frozen=True, slots=True)
class Chunk:
    """The text of another file."""

    filename: str
    text: str


def get_fim_tokens(vocab: Vocab) -> FimTokens:
    """Returns the fill-in-the-middle tokens of the model. Raises ApiError (501), which names those that it lacks."""
    prefix, suffix, middle = vocab.fim_pre, vocab.fim_suf, vocab.fim_mid
    if prefix is None or suffix is None or middle is None:
        tokens = {"prefix": prefix, "suffix": suffix, "middle": middle}
        missing = ", ".join(name for name, token in tokens.items() if token is None)
        raise ApiError(501, f"this model cannot fill gaps: its vocabulary has no token for the {missing}")
    bos = (vocab.bos,) if vocab.add_bos and vocab.bos is not None else ()
    return FimTokens(prefix, suffix, middle, bos)


def make_infill_prompt(
    context: InfillContext, fim: FimTokens, engine: Engine, n_predict: int, *, suffix_first: bool
) -> Prompt:
    """Returns the prompt for a gap, cut to fit into a slot of `engine` with an answer of `n_predict` tokens."""
    budget = token_budget(n_predict, engine.n_ctx_slot, engine.n_batch, has_extra=len(context.extra) > 0)
    tokens = infill_prompt(context, fim, budget, suffix_first=suffix_first)
    return Prompt(engine.vocab.display_all(tokens), tokens, n_system=0)


def read_mixed(name: str, value: object, vocab: Vocab) -> list[int]:
    """Returns the tokens of the text on one side of a gap. Raises InvalidRequest, which names the field."""
    if isinstance(value, str):
        return tokenize_file(name, value, vocab)
    if not isinstance(value, list):
        raise invalid_value(name, MIXED_SHAPES, value)
    return tokenize_mixed(name, value, vocab, lambda index, text: tokenize_file(f"{name}[{index}]", text, vocab))


def extra_tokens(chunks: list[Chunk], vocab: Vocab) -> list[int]:
    """Returns the chunks as models with tokens for repositories and files were trained to read them, the name of the
    file with the gap last; for other models, with a line between them."""
    name, sep = "input_extra", vocab.fim_sep
    if not chunks:
        return []
    if sep is None:
        return [token for chunk in chunks for token in tokenize_file(name, SNIPPET + chunk.text, vocab)]
    tokens = [] if vocab.fim_rep is None else [vocab.fim_rep, *tokenize_file(name, f"{PROJECT}\n", vocab)]
    for chunk in chunks:
        tokens += [sep, *tokenize_file(name, f"{chunk.filename}\n", vocab), *tokenize_file(name, chunk.text, vocab)]
    return [*tokens, sep, *tokenize_file(name, f"{FILE}\n", vocab)]


def tokenize_file(name: str, text: str, vocab: Vocab) -> list[int]:
    """Returns the tokens of a text in a file, without special tokens."""
    with naming_field(name):
        return vocab.tokenize_plain(text, add_special=False, parse_special=False)
