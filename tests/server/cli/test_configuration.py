import logging
from pathlib import Path

import pytest

from models.source import ModelSource
from server.api.openai.protocol import OpenAiOptions
from server.cli.configuration import read_configuration
from server.cli.defaults import DEFAULTS_OF_LLAMA_SERVER
from server.settings import Settings
from slots.options import ContextOptions, EngineOptions, ModelOptions, Placement, SpeculationOptions
from tests.server.cli.flag_parsing import get_error, parse_flags, sampling, settings
from tests.server.headers import HEADER


def loading(*flags: str) -> ModelOptions:
    return parse_flags(*flags).model_options(HEADER.path)


def test_without_flags_everything_is_at_its_default() -> None:
    assert parse_flags().source == ModelSource()
    assert parse_flags().context == ContextOptions()
    assert parse_flags().engine == EngineOptions()
    assert loading() == ModelOptions(HEADER.path)
    assert settings() == Settings(HEADER.path, "bundled", ("bundled",), chat_template=HEADER.chat_template)


@pytest.mark.parametrize(
    ("flags", "alias"),
    [(("-m", "some/a.gguf"), "some/a.gguf"), (("-hf", "u/r:Q8_0"), "u/r:Q8_0"), (("-m", "a.gguf", "-a", "b"), "b")],
)
def test_a_model_is_called_by_its_alias_or_as_it_was_asked_for(flags: tuple[str, ...], alias: str) -> None:
    assert settings(*flags).alias == alias


def test_the_repeat_penalty_is_1_1_by_default() -> None:
    assert sampling().repeat_penalty == 1.1


def test_called_llama_server_it_has_the_defaults_of_llama_cpp() -> None:
    like_llama_cpp = read_configuration([], {}, DEFAULTS_OF_LLAMA_SERVER).settings(HEADER)
    assert (like_llama_cpp.defaults.repeat_penalty, like_llama_cpp.infill_streams) == (1.0, False)
    assert (settings().defaults.repeat_penalty, settings().infill_streams) == (1.1, True)
    flags = ["--repeat-penalty", "1.3"]
    assert read_configuration(flags, {}, DEFAULTS_OF_LLAMA_SERVER).settings(HEADER).defaults.repeat_penalty == 1.3


def test_openais_dialect_has_a_repeat_penalty_only_if_a_flag_says_so() -> None:
    def openai_options(*flags: str) -> OpenAiOptions:
        return OpenAiOptions.parse({}, defaults=settings(*flags).defaults)

    assert openai_options().repeat_penalty == 1.0
    assert openai_options("--repeat-penalty", "1.3").repeat_penalty == 1.3
    assert openai_options("--temp", "0.5").temperature == 0.5


@pytest.mark.parametrize(
    ("flags", "source"),
    [
        ("-m a.gguf", ModelSource(model_file=Path("a.gguf"))),
        ("--model a.gguf", ModelSource(model_file=Path("a.gguf"))),
        ("-hf u/r:Q8_0", ModelSource(repository="u/r:Q8_0")),
        ("-hfr u/r -hff f.gguf", ModelSource(repository="u/r", hub_file="f.gguf")),
        ("--hf-repo u/r --hf-file f.gguf", ModelSource(repository="u/r", hub_file="f.gguf")),
        ("-hf u/r -hft secret --offline", ModelSource(repository="u/r", token="secret", offline=True)),
    ],
)
def test_flags_of_the_source(flags: str, source: ModelSource) -> None:
    assert parse_flags(*flags.split()).source == source


@pytest.mark.parametrize(
    ("flags", "field", "value"),
    [
        ("-ngl 12", "n_gpu_layers", 12),
        ("--gpu-layers all", "n_gpu_layers", -1),
        ("--n-gpu-layers auto", "n_gpu_layers", -1),
        ("-sm row", "split_mode", "row"),
        ("-ts 3,1", "tensor_split", (3.0, 1.0)),
        ("--tensor-split 3/1", "tensor_split", (3.0, 1.0)),
        ("-mg 1", "main_gpu", 1),
        ("--mlock", "mlock", True),
        ("--no-mmap", "mmap", False),
        ("--no-mmap --mmap", "mmap", True),
        ("-lm mmap+mlock", "load_mode", "mmap+mlock"),
        ("--lazy-mode on", "lazy_mode", "on"),
        ("-nr", "repack", False),
        ("--no-repack --repack", "repack", True),
        ("--no-host", "no_host", True),
        ("--check-tensors", "check_tensors", True),
        ("--numa isolate", "numa", "isolate"),
        (
            "--override-kv a.b=bool:false,c=int:-3 --override-kv d=str:x=y --override-kv e=float:0.5",
            "metadata_overrides",
            (("a.b", False), ("c", -3), ("d", "x=y"), ("e", 0.5)),
        ),
        ("-dev CUDA0,CUDA1", "placement", Placement(devices=("CUDA0", "CUDA1"))),
        (
            "-ot exps=CPU,a=b -ot c=d",
            "placement",
            Placement(tensor_overrides=(("exps", "CPU"), ("a", "b"), ("c", "d"))),
        ),
        ("-cmoe", "placement", Placement(cpu_moe=True)),
        ("-ncmoe 3 --n-cpu-ffn 2", "placement", Placement(n_cpu_moe=3, n_cpu_ffn=2)),
    ],
)
def test_flags_of_loading(flags: str, field: str, value: object) -> None:
    assert getattr(loading(*flags.split()), field) == value


@pytest.mark.parametrize(
    ("flags", "field", "value"),
    [
        ("-c 4096", "n_ctx", 4096),
        ("--ctx-size=4096", "n_ctx", 4096),
        ("-b 64", "n_batch", 64),
        ("-ub 32", "n_ubatch", 32),
        ("-np 8", "n_parallel", 8),
        ("-t 3", "n_threads", 3),
        ("-t -1", "n_threads", 0),
        ("-tb 5", "n_threads_batch", 5),
        ("-fa", "flash_attention", "on"),
        ("-fa off", "flash_attention", "off"),
        ("--flash-attn 1", "flash_attention", "on"),
        ("-ctk q8_0", "cache_type_k", "q8_0"),
        ("--cache-type-v bf16", "cache_type_v", "bf16"),
        ("-no-kvu", "kv_unified", False),
        ("-nkvo", "kv_offload", False),
        ("--no-kv-offload -kvo", "kv_offload", True),
        ("--no-op-offload", "op_offload", False),
        ("-np -1", "n_parallel", 4),
        ("--no-kv-unified -kvu", "kv_unified", True),
        ("--rope-scaling yarn", "rope_scaling", "yarn"),
        ("--rope-scale 4", "rope_freq_scale", 0.25),
        ("--rope-freq-scale 0.5", "rope_freq_scale", 0.5),
        ("--rope-freq-base 1e6", "rope_freq_base", 1e6),
        ("--yarn-orig-ctx 2048", "yarn_orig_ctx", 2048),
        ("--yarn-ext-factor -1.5", "yarn_ext_factor", -1.5),
        ("--yarn-attn-factor 0.5", "yarn_attn_factor", 0.5),
        ("--yarn-beta-slow 2", "yarn_beta_slow", 2.0),
        ("--yarn-beta-fast 16", "yarn_beta_fast", 16.0),
    ],
)
def test_flags_of_the_context(flags: str, field: str, value: object) -> None:
    assert getattr(parse_flags(*flags.split()).context, field) == value


def test_the_draft_model_has_a_placement_of_its_own() -> None:
    flags = "-md a.gguf -devd none -otd exps=CPU -cmoed -ncmoed 2 -cmoe"
    expected = Placement(("none",), (("exps", "CPU"),), cpu_moe=True, n_cpu_moe=2)
    assert parse_flags(*flags.split()).engine.speculation == SpeculationOptions(
        ("draft-simple",), draft_placement=expected
    )


def test_a_url_of_the_hub_is_a_repository_and_a_file() -> None:
    expected = ModelSource(repository="u/r", hub_file="q/a b.gguf")
    url = "https://huggingface.co/u/r/resolve/main/q/a%20b.gguf?download=true"
    assert parse_flags("-mu", url).source == expected
    assert parse_flags(environ={"LLAMA_ARG_MODEL_URL": url}).source == expected
    assert parse_flags("-m", "c.gguf", environ={"LLAMA_ARG_MODEL_URL": url}).source == ModelSource(Path("c.gguf"))


def test_without_a_warmup_the_engine_starts_cold() -> None:
    assert parse_flags("--no-warmup").engine == EngineOptions(warmup=False)


def test_the_first_of_several_names_in_the_alphabet_is_in_responses() -> None:
    found = settings("-a", "two, one", "--tags", "toy,small")
    assert (found.alias, found.aliases, found.tags) == ("one", ("one", "two"), ("small", "toy"))


def test_text_that_ends_every_generation() -> None:
    assert settings("-r", r"\nUser:", "-r", "END").defaults.stop == ("\nUser:", "END")


def test_flags_of_the_server() -> None:
    found = settings("--host", "::1", "--port", "9", "-a", "name", "--no-slots", "--shutdown-timeout", "3")
    assert (found.hosts, found.port, found.alias, found.show_slots) == (("::1",), 9, "name", False)
    assert found.shutdown_timeout == 3
    assert parse_flags("--max-queue", "2").engine == EngineOptions(max_queue=2)


@pytest.mark.parametrize(
    ("flags", "level"),
    [
        ("-v", logging.DEBUG),
        ("--verbose", logging.DEBUG),
        ("--log-verbose", logging.DEBUG),
        ("-lv 0", logging.ERROR),
        ("--verbosity 2", logging.WARNING),
        ("--log-verbosity 3", logging.INFO),
        ("-lv 5", logging.DEBUG),
        ("", logging.INFO),
    ],
)
def test_the_level_of_the_log(flags: str, level: int) -> None:
    assert parse_flags(*flags.split()).log.log_level == level


def test_keys_come_with_commas_from_several_flags_and_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("# of the team\nfour\n\nfive\n")
    assert settings("--api-key", "one,two", "--api-key", "three").api_keys == ("one", "two", "three")
    assert settings("--api-key", "one", "--api-key-file", str(file)).api_keys == ("one", "four", "five")


def test_the_chat_template_is_the_headers() -> None:
    assert settings().chat_template == HEADER.chat_template


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("-c many", "argument -c/--ctx-size: expected a whole number from 0 to 2147483647, got 'many'"),
        ("-np 0", "argument -np/--parallel: expected a whole number of 1 or more, got '0'"),
        ("--port 65536", "argument --port: expected a whole number from 0 to 65535, got '65536'"),
        (
            "-ngl most",
            "argument -ngl/--gpu-layers/--n-gpu-layers: expected a number of layers, 'auto' or 'all', got 'most'",
        ),
        ("-fa maybe", "argument -fa/--flash-attn: expected one of on, off, auto, got 'maybe'"),
        ("-sm half", "argument -sm/--split-mode: expected one of none, layer, row, tensor, got 'half'"),
        ("-ts 1,x", "argument -ts/--tensor-split: expected numbers of 0 or more with commas between them, such as 3,1"),
        ("-hf model", "argument -hf/-hfr/--hf-repo: expected USER/REPO or USER/REPO:QUANT, got 'model'"),
        ("--rope-scale 0", "argument --rope-scale: expected a number above 0, got '0'"),
        ("--api-key ,", "argument --api-key: expected a key, got ','"),
        ("--model", "argument -m/--model: expected one argument"),
        ("-m a.gguf -hf u/r", "-m/--model and -hf/--hf-repo: expected one of them, got a.gguf and u/r"),
        (
            "-mu https://example.org/a.gguf",
            "argument -mu/--model-url: expected a URL as in https://huggingface.co/USER/REPO/resolve/main/FILE, got "
            "'https://example.org/a.gguf'; download another file and give --model",
        ),
        (
            "-m a.gguf -mu https://hf.co/u/r/resolve/main/f.gguf",
            "-mu/--model-url: expected no -m/--model or -hf/--hf-repo with it, got a.gguf",
        ),
        (
            "--override-kv a=b",
            "argument --override-kv: expected KEY=TYPE:VALUE with a TYPE of int, float, bool or str,",
        ),
        ("-ot exps", "argument -ot/--override-tensor: expected PATTERN=BUFFER, such as exps=CPU, or several"),
        ("--host 127.0.0.1,::1 --port 0", "--port 0: expected one address with it, or a port of 1 or more"),
        ("--ssl-key-file k.pem", "--ssl-key-file and --ssl-cert-file: expected both of them or none, got one"),
        (
            "--ssl-key-file k.pem --ssl-cert-file c.pem",
            "--ssl-key-file and --ssl-cert-file: expected a key and its certificate in PEM format: No such file",
        ),
        ("--api-prefix /", "argument --api-prefix: expected a path such as /llm, got '/'"),
        (
            "-lv loud",
            "argument -lv/--verbosity/--log-verbosity: expected a whole number from 0 to 2147483647, got 'loud'",
        ),
        (
            "--reasoning-budget -2",
            "argument --reasoning-budget: expected a whole number from -1 to 2147483647, got '-2'",
        ),
        ("-hff f.gguf", "-hff/--hf-file: expected -hf/--hf-repo with it, got f.gguf alone"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_the_flag(
    capsys: pytest.CaptureFixture[str], flags: str, message: str
) -> None:
    assert get_error(capsys, *flags.split()).startswith(message)


def test_a_key_file_that_cannot_be_read(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    message = get_error(capsys, "--api-key-file", str(tmp_path / "none"))
    assert message.startswith("argument --api-key-file: expected a file of keys, but")
    assert message.endswith("cannot be read: No such file or directory")


def test_a_key_file_without_keys_does_not_open_the_server(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("# none\n")
    assert get_error(capsys, "--api-key-file", str(tmp_path / "keys")).endswith("has none")


@pytest.mark.parametrize("flag", ["-nkv", "-ng", "--no-warm", "--ctx", "-cr", "-c8"])
def test_a_flag_there_is_not_is_unrecognized(capsys: pytest.CaptureFixture[str], flag: str) -> None:
    assert get_error(capsys, flag) == f"unrecognized arguments: {flag}"


@pytest.mark.parametrize(
    ("variable", "text", "field", "value"),
    [
        ("LLAMA_ARG_CTX_SIZE", "512", "n_ctx", 512),
        ("LLAMA_ARG_BATCH", "64", "n_batch", 64),
        ("LLAMA_ARG_UBATCH", "32", "n_ubatch", 32),
        ("LLAMA_ARG_N_PARALLEL", "2", "n_parallel", 2),
        ("LLAMA_ARG_THREADS", "3", "n_threads", 3),
        ("LLAMA_ARG_FLASH_ATTN", "enabled", "flash_attention", "on"),
        ("LLAMA_ARG_CACHE_TYPE_K", "q8_0", "cache_type_k", "q8_0"),
        ("LLAMA_ARG_KV_UNIFIED", "off", "kv_unified", False),
        ("LLAMA_ARG_NO_KV_UNIFIED", "", "kv_unified", False),
        ("LLAMA_ARG_KV_OFFLOAD", "false", "kv_offload", False),
        ("LLAMA_ARG_NO_KV_OFFLOAD", "1", "kv_offload", False),
        ("LLAMA_ARG_ROPE_SCALE", "2", "rope_freq_scale", 0.5),
        ("LLAMA_ARG_YARN_BETA_FAST", "8", "yarn_beta_fast", 8.0),
    ],
)
def test_a_variable_stands_in_for_its_flag(variable: str, text: str, field: str, value: object) -> None:
    assert getattr(parse_flags(environ={variable: text}).context, field) == value


def test_a_flag_wins_over_its_variable() -> None:
    assert parse_flags("-c", "1024", environ={"LLAMA_ARG_CTX_SIZE": "512"}).context.n_ctx == 1024
    assert parse_flags("-kvu", environ={"LLAMA_ARG_NO_KV_UNIFIED": "1"}).context.kv_unified
    assert settings("--api-key", "a", environ={"LLAMA_API_KEY": "b"}).api_keys == ("a",)


def test_a_flag_wins_over_a_variable_that_names_a_model_of_another_kind() -> None:
    on_the_hub = {"LLAMA_ARG_HF_REPO": "u/r", "LLAMA_ARG_HF_FILE": "b.gguf"}
    assert parse_flags("-m", "a.gguf", environ=on_the_hub).source == ModelSource(Path("a.gguf"))
    assert parse_flags("-hf", "u/r", environ={"LLAMA_ARG_MODEL": "a.gguf"}).source == ModelSource(repository="u/r")


def test_variables_that_have_names_of_their_own() -> None:
    assert parse_flags("-hf", "u/r", environ={"HF_TOKEN": "secret"}).source.token == "secret"
    assert settings(environ={"LLAMA_API_KEY": "a,b"}).api_keys == ("a", "b")
    assert not settings(environ={"LLAMA_ARG_ENDPOINT_SLOTS": "false"}).show_slots


@pytest.mark.parametrize("word", ["on", "enabled", "true", "1"])
def test_a_variable_turns_a_switch_on(word: str) -> None:
    assert parse_flags(environ={"LLAMA_ARG_OFFLINE": word}).source.offline


@pytest.mark.parametrize("word", ["off", "disabled", "false", "0", ""])
def test_a_variable_turns_a_switch_off(word: str) -> None:
    assert not parse_flags(environ={"LLAMA_ARG_OFFLINE": word}).source.offline


@pytest.mark.parametrize(
    ("variable", "text", "message"),
    [
        ("LLAMA_ARG_PORT", "http", "expected a whole number from 0 to 65535, got 'http'"),
        ("LLAMA_ARG_TOP_P", "2", "expected a number from 0 to 1, got 2.0"),
        ("LLAMA_ARG_MMAP", "yes", "expected one of on, enabled, true, 1, off, disabled, false, 0, got 'yes'"),
    ],
)
def test_a_wrong_value_of_a_variable_names_the_variable(
    capsys: pytest.CaptureFixture[str], variable: str, text: str, message: str
) -> None:
    assert get_error(capsys, environ={variable: text}) == f"variable {variable}: {message}"
