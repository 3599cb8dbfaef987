"""Flags of llama.cpp's server: each is honoured, accepted with the reason why it has no effect, or refused by name."""

import shlex
from pathlib import Path

import pytest

from server.cli.configuration import FOREIGN
from server.cli.flags import GROUPS
from server.cli.foreign import ForeignFlag
from server.cli.no_effect import NO_EFFECT
from server.cli.refused import REFUSED
from tests.server.cli.flag_parsing import get_error, parse_flags

FLAGS_OF_LLAMA_CPP = Path(__file__).parents[4] / "shared" / "peers" / "flags.txt"
"""A line for each row of the tables in its server's README: the spellings, and after a tab the variable."""
ABOUT = {"-h", "--help", "--usage", "--version"}

DEFINED = [flag for group in GROUPS for flag in group.flags]
NAMES = ABOUT | {name for flag in (*DEFINED, *FOREIGN) for name in flag.names}
VARIABLES = {flag.variable for flag in (*DEFINED, *FOREIGN)}


def rows_of_llama_cpp() -> list[tuple[list[str], str]]:
    if not FLAGS_OF_LLAMA_CPP.is_file():
        pytest.skip(f"the list of llama.cpp's flags is not there ({FLAGS_OF_LLAMA_CPP})")
    lines = [line.partition("\t") for line in FLAGS_OF_LLAMA_CPP.read_text().splitlines()]
    return [(names.split(), variable) for names, _, variable in lines]


def is_known(name: str) -> bool:
    # The list cuts --fim-qwen-1.5b-default off at its point.
    return name in NAMES or any(known.startswith(f"{name}.") for known in NAMES)


def test_every_flag_of_llama_cpp_is_known() -> None:
    assert [name for names, _ in rows_of_llama_cpp() for name in names if not is_known(name)] == []


def test_every_variable_of_llama_cpp_is_known() -> None:
    assert [variable for _, variable in rows_of_llama_cpp() if variable and variable not in VARIABLES] == []


def test_the_spellings_of_a_row_of_llama_cpp_belong_to_one_flag_or_to_its_opposite() -> None:
    owners = {name: flag for flag in DEFINED for name in flag.names}
    for names, variable in rows_of_llama_cpp():
        found = {id(owners[name]): owners[name] for name in names if name in owners}
        assert len(found) <= 1, names
        for flag in found.values():
            assert not variable or flag.variable == variable, names


def test_no_flag_is_defined_twice() -> None:
    names = [name for flag in (*DEFINED, *FOREIGN) for name in flag.names]
    assert len(names) == len(set(names))


def test_flags_without_effect_change_nothing_and_say_why() -> None:
    given = [(name, flag) for flag in NO_EFFECT for name in flag.names]
    flags = [part for name, flag in given for part in (name, *(["1"] if flag.takes_value else []))]
    found, usual = parse_flags(*flags), parse_flags()
    assert found.notices == tuple(f"{name} has no effect: {flag.text}" for name, flag in given)
    assert (found.context, found.engine, found.source) == (usual.context, usual.engine, usual.source)


@pytest.mark.parametrize("flag", REFUSED, ids=lambda flag: flag.names[-1])
def test_a_refused_flag_is_one_line_that_says_what_to_do_instead(
    capsys: pytest.CaptureFixture[str], flag: ForeignFlag
) -> None:
    for name in flag.names:
        values = ["1"] if flag.takes_value else []
        assert get_error(capsys, name, *values) == f"argument {name}: {flag.text}"


@pytest.mark.parametrize(
    ("environ", "notice"),
    [
        (
            {"LLAMA_ARG_ENDPOINT_PROPS": "1"},
            "LLAMA_ARG_ENDPOINT_PROPS has no effect: there is nothing that POST",
        ),
        ({"LLAMA_ARG_UI_MCP_PROXY": "on"}, "LLAMA_ARG_UI_MCP_PROXY has no effect: the page asks"),
        ({"LLAMA_ARG_NO_AGENT": ""}, "LLAMA_ARG_NO_AGENT has no effect: there are no tools"),
        ({"LLAMA_ARG_THREADS_HTTP": "4"}, "LLAMA_ARG_THREADS_HTTP has no effect: one event loop serves"),
    ],
)
def test_a_variable_without_effect_says_why(environ: dict[str, str], notice: str) -> None:
    [found] = parse_flags(environ=environ).notices
    assert found.startswith(notice)


@pytest.mark.parametrize("environ", [{"LLAMA_ARG_ENDPOINT_PROPS": "0"}, {"LLAMA_ARG_JINJA": ""}, {"LLAMA_ARG_RPC": ""}])
def test_a_variable_that_asks_for_nothing_says_nothing(environ: dict[str, str]) -> None:
    assert parse_flags(environ=environ).notices == ()


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"LLAMA_ARG_CONT_BATCHING": "0"}, "variable LLAMA_ARG_CONT_BATCHING: requests are always batched"),
        ({"LLAMA_ARG_NO_CONT_BATCHING": "1"}, "variable LLAMA_ARG_NO_CONT_BATCHING: requests are always batched"),
        ({"LLAMA_ARG_RPC": "host:1"}, "variable LLAMA_ARG_RPC: other machines cannot take part"),
        ({"LLAMA_ARG_UI": "maybe"}, "variable LLAMA_ARG_UI: expected one of on, enabled, true, 1, off"),
    ],
)
def test_a_refused_variable_is_named(capsys: pytest.CaptureFixture[str], environ: dict[str, str], message: str) -> None:
    assert get_error(capsys, environ=environ).startswith(message)


def test_a_notice_is_given_once() -> None:
    assert len(parse_flags("--jinja", "--jinja").notices) == 1


@pytest.mark.parametrize(
    "command",
    [
        # of the README of llama.cpp's server
        "-m models/7B/ggml-model.gguf -c 2048",
        "-m models/7B/ggml-model.gguf -c 512 --host 0.0.0.0 --port 8080",
        "-m models/7B/ggml-model.gguf -c 512 --host 0.0.0.0 --port 8080 --n-gpu-layers 99",
        "-hf user/model:Q8_0",
        # of its documentation
        "-m /models/7B/ggml-model-q4_0.gguf --port 8080 --host 0.0.0.0 -n 512",
        "-m /models/7B/ggml-model-q4_0.gguf --port 8080 --host 0.0.0.0 -n 512 --n-gpu-layers 1",
        "--no-warmup -m /models/Llama-3.2-1B-Instruct-Q4_K_M.gguf -c 1024 --host 0.0.0.0",
        "--jinja -fa -hf bartowski/Qwen2.5-7B-Instruct-GGUF:Q4_K_M",
        "--jinja -fa -hf bartowski/firefunction-v2-GGUF -hff firefunction-v2-IQ1_M.gguf",
        "-hf ggml-org/gemma-3-4b-it-GGUF --no-mmproj-offload",
        "-m model.gguf --spec-type ngram-simple --spec-draft-n-max 64",
        # of its tests
        "--host 127.0.0.1 --port 8080 --temp 0.0 --seed 42 --offline --model m.gguf --batch-size 32 --cont-batching "
        "--metrics --slots --alias tinyllama-2 --tags a,b --ctx-size 512 --parallel 2 --n-predict 64 -fa off --no-ui "
        "--jinja --reasoning off --no-mmproj --cache-ram 0 --no-cache-idle-slots",
        # as compose files, llama-swap and systemd units have them
        "-m m.gguf -ngl 999 -c 32768 -np 4 -cb -fa on -ctk q8_0 -ctv q8_0 --jinja --metrics --no-webui -lv 3 -to 600",
        "-m m.gguf -ngl 99 -ot '.ffn_.*_exps.=CPU' --no-mmap --threads 16 --threads-http 4 --numa distribute --props",
        "-m m.gguf --n-cpu-moe 20 -ub 2048 -b 2048 --reasoning-format auto --reasoning-budget 0 "
        """--chat-template-kwargs '{"enable_thinking": false}' --temp 0.6 --top-k 20 --top-p 0.95 --min-p 0""",
        "-m m.gguf -dev CUDA0,CUDA1 -ts 3,1 -sm layer -mg 0 -fit off -nkvo --mlock --prio 2 --poll 50 --no-slots",
        "-m m.gguf --host 0.0.0.0,::1,/run/llama/llama.sock --port 8080 --api-prefix /llm --cors-origins localhost "
        "--api-key secret --reuse-port --sse-ping-interval 15 --sleep-idle-seconds 600 --slot-prompt-similarity 0.5",
    ],
)
def test_command_lines_of_llama_cpp_are_read(command: str) -> None:
    assert parse_flags(*shlex.split(command)).source is not None


def test_the_compose_file_of_llama_cpp_is_read() -> None:
    environ = {
        "LLAMA_ARG_MODEL": "/models/my_model.gguf",
        "LLAMA_ARG_CTX_SIZE": "4096",
        "LLAMA_ARG_N_PARALLEL": "2",
        "LLAMA_ARG_ENDPOINT_METRICS": "1",
        "LLAMA_ARG_PORT": "8080",
    }
    found = parse_flags(environ=environ)
    assert found.source.model_file == Path("/models/my_model.gguf")
    assert (found.context.n_ctx, found.context.n_parallel) == (4096, 2)


def test_help_names_the_page_with_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    for flag in ("--help", "--usage"):
        with pytest.raises(SystemExit):
            parse_flags(flag)
        assert "docs/flags.md" in capsys.readouterr().out.split()[-5:]
