"""Flags of completions: defaults for the length, the grammar and the fields of what is generated."""

from collections.abc import Callable

from grammar.source import GrammarSource, Kind
from server.cli.flags.sampling import describe_option, sampling_value, unescape
from server.cli.parser import Flag, Group, Switch
from server.cli.values import MAX_SIZE, int_in_range, invalid, text_file
from server.options.constraint import Constraint


def stop_string(text: str) -> tuple[str, ...]:
    """Returns the text as a tuple of one, with escapes replaced."""
    if not text:
        raise invalid("a text that is not empty", text)
    return (unescape(text),)


COMPLETION = Group(
    "completion",
    "Defaults for options that a request leaves out.",
    Flag(
        "-n, --predict, --n-predict N",
        "n_predict",
        int_in_range(-1),
        f"{describe_option('n_predict')}; a request for -1 gets this number, too",
        "LLAMA_ARG_N_PREDICT",
    ),
    Flag(
        "--t-max-predict-ms N",
        "t_max_predict_ms",
        int_in_range(-1, MAX_SIZE),
        describe_option("t_max_predict_ms"),
    ),
    Flag(
        "--n-indent N",
        "n_indent",
        int_in_range(0, MAX_SIZE),
        describe_option("n_indent"),
    ),
    Flag(
        "-r, --reverse-prompt TEXT",
        "stop",
        stop_string,
        "text that ends the generation, with escapes such as \\n; may be repeated",
        repeatable=True,
    ),
    Switch("-sp, --special", "show_special", "return the text of special tokens"),
    Switch("--ignore-eos", "ignore_eos", describe_option("ignore_eos")),
    Flag(
        "--n-probs N",
        "n_probs",
        sampling_value("n_probs"),
        describe_option("n_probs"),
    ),
    Switch("--post-sampling-probs", "post_sampling_probs", describe_option("post_sampling_probs")),
    Switch("--return-tokens", "return_tokens", describe_option("return_tokens")),
    Switch("--timings-per-token", "timings_per_token", describe_option("timings_per_token")),
    Switch(
        "--spm-infill",
        "spm_infill",
        "put the suffix before the prefix in prompts of POST /infill, as some models expect it",
    ),
)


def _constraint_flag(spelling: str, kind: Kind, help_text: str, read: Callable[[str], str] = str) -> Flag:
    name = f"argument {spelling.rsplit(' ', 1)[0].replace(', ', '/')}"
    return Flag(spelling, "constraint", lambda value: Constraint(name, GrammarSource(kind, read(value))), help_text)


CONSTRAINT = Group(
    "constrained output",
    "Defaults for requests without a constraint. If several are given, the last one applies.",
    _constraint_flag("--grammar GRAMMAR", "gbnf", "GBNF grammar that the output has to match"),
    _constraint_flag("--grammar-file FILE", "gbnf", "file with a GBNF grammar", text_file),
    _constraint_flag(
        "-j, --json-schema SCHEMA", "json_schema", "JSON schema that the output has to match; {} = any JSON value"
    ),
    _constraint_flag("-jf, --json-schema-file FILE", "json_schema", "file with a JSON schema", text_file),
)
