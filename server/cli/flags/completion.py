"""Flags of completions: defaults for the length, the grammar and the fields of what is generated."""

from collections.abc import Callable

from grammar.source import GrammarSource, Kind
from server.cli.flags.sampling import sampling_value
from server.cli.parser import Flag, Group, Switch
from server.cli.values import MAX_SIZE, int_in_range, text_file
from server.generation.constraint import Constraint

COMPLETION = Group(
    "completion",
    "Defaults for options that a request leaves out.",
    Flag(
        "-n, --predict, --n-predict N",
        "n_predict",
        int_in_range(-1),
        "maximum number of tokens to generate; -1 = until the context is full",
        "LLAMA_ARG_N_PREDICT",
    ),
    Flag(
        "--t-max-predict-ms N",
        "t_max_predict_ms",
        int_in_range(-1, MAX_SIZE),
        "time limit in milliseconds; the text ends at the next line break after it; 0 = disabled",
    ),
    Flag(
        "--n-indent N",
        "n_indent",
        int_in_range(0, MAX_SIZE),
        "minimum indentation of a line, in characters; the text ends at a line with less; 0 = disabled",
    ),
    Switch("--ignore-eos", "ignore_eos", "continue after an end-of-generation token"),
    Flag(
        "--n-probs N",
        "n_probs",
        sampling_value("n_probs"),
        "number of most likely tokens to return with each token; 0 = disabled",
    ),
    Switch("--post-sampling-probs", "post_sampling_probs", "return their probabilities after the samplers, not before"),
    Switch("--return-tokens", "return_tokens", "return the ids of the generated tokens"),
    Switch("--timings-per-token", "timings_per_token", "return token counts and timings with each streamed token"),
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
