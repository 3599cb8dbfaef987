"""How the server that ours is compared with is started."""

from pathlib import Path

from benchmarks.harness.peer import llama_server_command, running_peer


def test_the_peer_has_our_model_slots_and_tokens_and_its_default_flags_otherwise() -> None:
    command = llama_server_command("build/bin/llama-server", Path("model.gguf"), 8, 1024)
    sizes = ["--model", "model.gguf", "--parallel", "8", "--ctx-size", "8192"]
    assert command == ["build/bin/llama-server", *sizes]


def test_flags_that_are_given_stay_as_they_are() -> None:
    command = llama_server_command("llama-server --parallel 4 --threads 1", Path("model.gguf"), 8, 1024)
    assert command[1:5] == ["--parallel", "4", "--threads", "1"]
    assert command.count("--parallel") == 1


def test_a_url_is_a_server_that_runs_already() -> None:
    with running_peer("http://127.0.0.1:9098/", ["no such program"]) as url:
        assert url == "http://127.0.0.1:9098"
