"""The flags of the samplers: each default of theirs has one."""

from server.cli.parser import Flag, Group, Switch
from server.generation.sampler_order import LETTERS
from server.sampling_values import sampler_letters, sampler_names, sampling, sequence_breaker, token_bias


def _number(spelling: str, option: str, text: str, variable: str | None = None) -> Flag:
    return Flag(spelling, option, sampling(option), text, variable)


SAMPLING = Group(
    "sampling defaults",
    "For what a request leaves out.",
    Flag("--samplers A;B;...", "samplers", sampler_names, "samplers in the order in which they are applied"),
    Flag(
        "--sampler-seq, --sampling-seq LETTERS",
        "samplers",
        sampler_letters,
        f"the same in letters: {', '.join(f'{letter} {sampler}' for letter, sampler in LETTERS.items())}",
    ),
    _number("-s, --seed N", "seed", "seed of the random numbers; -1: a new one each time"),
    _number(
        "--temp, --temperature N",
        "temperature",
        "how freely tokens are chosen; 0: always the most likely",
        "LLAMA_ARG_TEMPERATURE",
    ),
    _number("--dynatemp-range N", "dynatemp_range", "how far the temperature moves with the entropy; 0: off"),
    _number("--dynatemp-exp N", "dynatemp_exponent", "exponent of how it moves"),
    _number("--top-k N", "top_k", "only the N most likely tokens; 0: all", "LLAMA_ARG_TOP_K"),
    _number(
        "--top-p N",
        "top_p",
        "only the most likely tokens that together reach this probability; 1: all",
        "LLAMA_ARG_TOP_P",
    ),
    _number(
        "--min-p N",
        "min_p",
        "only tokens with this share of the best one's probability; 0: all",
        "LLAMA_ARG_MIN_P",
    ),
    _number(
        "--top-nsigma, --top-n-sigma N",
        "top_n_sigma",
        "only tokens within N standard deviations of the best one; -1: all",
    ),
    _number("--typical, --typical-p N", "typical_p", "only tokens about as surprising as can be expected; 1: all"),
    _number("--tfs, --tfs-z N", "tfs_z", "without the tail where probabilities level out; 1: all"),
    _number("--xtc-probability N", "xtc_probability", "how often all likely tokens but the last are left out; 0: off"),
    _number("--xtc-threshold N", "xtc_threshold", "probability from which a token is likely for that; above 0.5: off"),
    _number(
        "--adaptive-target N",
        "adaptive_target",
        "choose tokens near this probability, if adaptive_p is among the samplers; -1: off",
    ),
    _number("--adaptive-decay N", "adaptive_decay", "how slowly that adapts to what was chosen, up to 0.99"),
    _number("--mirostat N", "mirostat", "1 or 2: this version of Mirostat instead of other samplers; 0: off"),
    _number("--mirostat-ent N", "mirostat_tau", "the surprise it aims at, tau"),
    _number("--mirostat-lr N", "mirostat_eta", "how fast it learns, eta"),
    _number("--min-keep N", "min_keep", "tokens that a sampler leaves at least; 0: as it likes"),
    Flag(
        "-l, --logit-bias TOKEN_ID(+/-)BIAS",
        "logit_bias",
        token_bias,
        "make a token likelier (15043+1) or less likely (15043-1), or rule it out (15043-inf); may be given again",
        repeatable=True,
    ),
)

REPETITION = Group(
    "defaults against repetition",
    "For what a request leaves out.",
    _number(
        "--repeat-last-n N",
        "repeat_last_n",
        "tokens that the penalties look back on; 0: none, -1: the whole context",
    ),
    _number("--repeat-penalty N", "repeat_penalty", "penalty for repeated tokens; 1: none", "LLAMA_ARG_REPEAT_PENALTY"),
    _number(
        "--presence-penalty N",
        "presence_penalty",
        "penalty for tokens that were there; 0: none",
        "LLAMA_ARG_PRESENCE_PENALTY",
    ),
    _number(
        "--frequency-penalty N",
        "frequency_penalty",
        "penalty for each time a token was there; 0: none",
        "LLAMA_ARG_FREQUENCY_PENALTY",
    ),
    Switch("--penalize-nl, --no-penalize-nl", "penalize_nl", "let these penalties touch line breaks"),
    _number("--dry-multiplier N", "dry_multiplier", "penalty for going on with a repeated sequence; 0: none"),
    _number("--dry-base N", "dry_base", "how the penalty grows with each token of the sequence"),
    _number("--dry-allowed-length N", "dry_allowed_length", "repeated tokens from which on the next one is penalized"),
    _number("--dry-penalty-last-n N", "dry_penalty_last_n", "tokens it looks back on; 0: none, -1: the whole context"),
    Flag(
        "--dry-sequence-breaker STRING",
        "dry_sequence_breakers",
        sequence_breaker,
        "where sequences end, with escapes such as \\n, instead of the defaults; may be given again; none: nowhere",
        repeatable=True,
    ),
)
