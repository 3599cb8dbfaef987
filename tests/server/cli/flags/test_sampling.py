import pytest

from server.api.llama.generation_settings import options_json
from server.cli.flags import GROUPS
from server.options.generation_options import GenerationOptions
from slots.requests.sampling_params import SamplerName, SamplingParams
from tests.server.cli.flag_parsing import get_error, parse_flags, sampling, settings


def test_each_default_has_a_flag() -> None:
    destinations = {flag.destination for group in GROUPS for flag in group.flags}
    defaults = options_json(GenerationOptions(), GenerationOptions()).keys() - {"max_tokens", "speculative.n_max"}
    assert defaults | set(SamplingParams.model_fields) | {"return_tokens"} <= destinations


@pytest.mark.parametrize(
    ("flags", "field", "value"),
    [
        ("-s 7", "seed", 7),
        ("--seed -1", "seed", -1),
        ("--temp 0", "temperature", 0.0),
        ("--temperature 1.5", "temperature", 1.5),
        ("--dynatemp-range 0.5", "dynatemp_range", 0.5),
        ("--dynatemp-exp 2", "dynatemp_exponent", 2.0),
        ("--top-k 0", "top_k", 0),
        ("--top-p 0.5", "top_p", 0.5),
        ("--min-p 0", "min_p", 0.0),
        ("--top-nsigma -1", "top_n_sigma", -1.0),
        ("--top-n-sigma 1.5", "top_n_sigma", 1.5),
        ("--typical 0.9", "typical_p", 0.9),
        ("--typical-p 0.8", "typical_p", 0.8),
        ("--tfs 0.9", "tfs_z", 0.9),
        ("--tfs-z 0.8", "tfs_z", 0.8),
        ("--xtc-probability 0.5", "xtc_probability", 0.5),
        ("--xtc-threshold 0.2", "xtc_threshold", 0.2),
        ("--adaptive-target -1", "adaptive_target", -1.0),
        ("--adaptive-target -0.5", "adaptive_target", -0.5),
        ("--adaptive-decay 0.5", "adaptive_decay", 0.5),
        ("--mirostat 2", "mirostat", 2),
        ("--mirostat-ent 4", "mirostat_tau", 4.0),
        ("--mirostat-lr 0.2", "mirostat_eta", 0.2),
        ("--min-keep 3", "min_keep", 3),
        ("--repeat-last-n -1", "repeat_last_n", -1),
        ("--repeat-penalty 1.3", "repeat_penalty", 1.3),
        ("--presence-penalty -0.5", "presence_penalty", -0.5),
        ("--presence-penalty -5e-1", "presence_penalty", -0.5),
        ("--presence-penalty -.5", "presence_penalty", -0.5),
        ("--frequency-penalty 0.5", "frequency_penalty", 0.5),
        ("--no-penalize-nl", "penalize_nl", False),
        ("--dry-multiplier 0.8", "dry_multiplier", 0.8),
        ("--dry-base 2", "dry_base", 2.0),
        ("--dry-allowed-length 3", "dry_allowed_length", 3),
        ("--dry-penalty-last-n -1", "dry_penalty_last_n", -1),
        ("--ignore-eos", "ignore_eos", True),
        ("--n-probs 5", "n_probs", 5),
        ("--post-sampling-probs", "post_sampling_probs", True),
    ],
)
def test_flags_of_sampling(flags: str, field: str, value: object) -> None:
    assert sampling(*flags.split()) == SamplingParams(**{field: value})


@pytest.mark.parametrize(
    ("variable", "text", "field", "value"),
    [
        ("LLAMA_ARG_TEMPERATURE", "0.5", "temperature", 0.5),
        ("LLAMA_ARG_TOP_K", "5", "top_k", 5),
        ("LLAMA_ARG_TOP_P", "0.5", "top_p", 0.5),
        ("LLAMA_ARG_MIN_P", "0.5", "min_p", 0.5),
        ("LLAMA_ARG_REPEAT_PENALTY", "1.5", "repeat_penalty", 1.5),
        ("LLAMA_ARG_PRESENCE_PENALTY", "0.5", "presence_penalty", 0.5),
        ("LLAMA_ARG_FREQUENCY_PENALTY", "0.5", "frequency_penalty", 0.5),
    ],
)
def test_variables_of_sampling(variable: str, text: str, field: str, value: float) -> None:
    assert getattr(sampling(environ={variable: text}), field) == value


@pytest.mark.parametrize(
    ("flags", "samplers"),
    [
        (("--samplers", "top_k;temperature"), (SamplerName.TOP_K, SamplerName.TEMPERATURE)),
        (("--samplers", "Top-K; temp"), (SamplerName.TOP_K, SamplerName.TEMPERATURE)),
        (("--samplers", ""), ()),
        (("--sampler-seq", "kt"), (SamplerName.TOP_K, SamplerName.TEMPERATURE)),
        (("--sampling-seq", "mm"), (SamplerName.MIN_P, SamplerName.MIN_P)),
        (("--sampling-seq", "k", "--samplers", "min_p"), (SamplerName.MIN_P,)),
        (("--samplers", "min_p", "--sampling-seq", "k"), (SamplerName.TOP_K,)),
    ],
)
def test_samplers_are_named_or_lettered_and_the_last_flag_wins(
    flags: tuple[str, ...], samplers: tuple[SamplerName, ...]
) -> None:
    assert sampling(*flags).samplers == samplers


@pytest.mark.parametrize(
    ("flags", "breakers"),
    [
        ((), ("\n", ":", '"', "*")),
        (("--dry-sequence-breaker", ";"), (";",)),
        (("--dry-sequence-breaker", r"\n", "--dry-sequence-breaker", r"a\t\\n\"\q"), ("\n", 'a\t\\n"\\q')),
        (("--dry-sequence-breaker", "none"), ()),
        (("--dry-sequence-breaker", "a", "--dry-sequence-breaker", "none"), ()),
        (("--dry-sequence-breaker", "none", "--dry-sequence-breaker", "a"), ("a",)),
    ],
)
def test_sequence_breakers_replace_the_defaults(flags: tuple[str, ...], breakers: tuple[str, ...]) -> None:
    assert sampling(*flags).dry_sequence_breakers == breakers


def test_logit_biases_are_collected() -> None:
    biases = sampling("-l", "15043+1", "--logit-bias", "7-0.5", "-l", "8-inf").logit_bias
    assert biases == ((15043, 1.0), (7, -0.5), (8, -float("inf")))


def test_flags_of_what_else_a_request_leaves_out() -> None:
    flags = "-n 5 --keep -1 --no-cache-prompt --n-indent 2 --t-max-predict-ms 100 --timings-per-token --return-tokens"
    assert settings(*flags.split()).defaults == GenerationOptions(
        n_predict=5,
        n_keep=-1,
        cache_prompt=False,
        n_indent=2,
        t_max_predict_ms=100,
        timings_per_token=True,
        return_tokens=True,
    )


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            "--seed 18446744073709551616",
            "argument -s/--seed: expected an integer from -9223372036854775808 to 18446744073709551615",
        ),
        ("--temp nan", "argument --temp/--temperature: expected a number, got 'nan'"),
        ("--temp 1e300", "argument --temp/--temperature: expected a number from -3.4"),
        ("--top-k 1.5", "argument --top-k: expected a whole number, got '1.5'"),
        ("--top-p 1.5", "argument --top-p: expected a number from 0 to 1, got 1.5"),
        ("--repeat-penalty 0", "argument --repeat-penalty: expected a number above 0, got 0.0"),
        ("--repeat-last-n -2", "argument --repeat-last-n: expected an integer, -1 or more, got -2"),
        ("--mirostat 3", "argument --mirostat: expected an integer from 0 to 2, got 3"),
        ("--adaptive-decay 1", "argument --adaptive-decay: expected a number from 0 to 0.99, got 1.0"),
        ("--dry-base 0.5", "argument --dry-base: expected a number, 1 or more, got 0.5"),
        ("--n-probs 129", "argument --n-probs: expected an integer from 0 to 128, got 129"),
        ("--n-indent -1", "argument --n-indent: expected a whole number from 0 to 2147483647, got '-1'"),
        ("--samplers top_k;best", "argument --samplers: expected names out of penalties, dry, "),
        ("--sampler-seq kz", "argument --sampler-seq/--sampling-seq: expected letters out of e (penalties), "),
        (f"--sampler-seq {'k' * 17}", "argument --sampler-seq/--sampling-seq: expected at most 16, got 17"),
        ("--dry-sequence-breaker=", "argument --dry-sequence-breaker: expected strings that are not empty, got ['']"),
        ("--dry-sequence-breaker a " * 33, "dry_sequence_breakers: expected at most 32 strings, got 33"),
        ("--dry-sequence-breaker \udcff", "argument --dry-sequence-breaker: expected text in UTF-8"),
        ("-l 15043", "argument -l/--logit-bias: expected a token id and a bias with its sign, such as 15043+1, 15"),
        ("-l dog+1", "argument -l/--logit-bias: expected a token id and a bias with its sign, such as 15043+1, 15"),
        ("-l 5+inf", "argument -l/--logit-bias: expected a number, got '+inf'"),
        ("-l 5--1", "argument -l/--logit-bias: expected a number, got '--1'"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_the_flag(
    capsys: pytest.CaptureFixture[str], flags: str, message: str
) -> None:
    assert get_error(capsys, *flags.split()).startswith(message)


def test_help_shows_the_samplers_and_the_sequence_breakers(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        parse_flags("--help")
    shown = " ".join(capsys.readouterr().out.split())
    assert "(default: penalties; dry; top_n_sigma; top_k; tfs_z; typ_p; top_p; min_p; xtc; temperature)" in shown
    assert r'(default: \n : " *)' in shown
