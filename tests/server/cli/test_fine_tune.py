"""`llama-slots fine-tune`: a job in the terminal, and what it prints."""

import shlex
import signal
import subprocess
import sys
from io import StringIO
from pathlib import Path

from models.tuning.events import Event, EventLog
from models.tuning.store import Store
from server.cli.fine_tune.command import describe_choice
from server.cli.fine_tune.progress import ProgressBar
from tests.conftest import running_server
from tests.fine_tunes import EXAMPLES, LEARNED, PROMPT, RESPONSE, SECONDS, needs_torch, wait_until, write_csv
from tests.server.http_client import post
from tests.server.program import environment

COMMAND = (sys.executable, "-m", "server", "fine-tune")


def run(*arguments: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, timeout=SECONDS, env=environment(), check=False
    )
    assert done.returncode == code, done.stderr
    return done


@needs_torch
def test_the_printed_commands_serve_and_ask_the_result(tmp_path: Path) -> None:
    data, folder = str(write_csv(tmp_path / "data.csv")), str(tmp_path / "fine-tunes")
    options = ("--epochs", str(LEARNED["epochs"]), "--batch-size", str(LEARNED["batch_size"]), "--suffix", "shown")
    done = run(data, "--fine-tune-path", folder, "--validation-file", data, "--alias", "bundled", *options)
    serve, ask = (shlex.split(line) for line in done.stdout.splitlines() if line.startswith("    "))
    assert serve[0] == "llama-slots"
    assert ask[:2] == ["curl", "http://127.0.0.1:8080/v1/completions"]
    assert "eval_loss" in done.stderr
    assert done.stdout.startswith("The eval_loss was lowest after epoch ")
    with running_server(tmp_path, *serve[1:]) as url:
        answer = subprocess.run(
            [ask[0], "-s", ask[1].replace("http://127.0.0.1:8080", url), *ask[2:]], capture_output=True, check=True
        )
        assert RESPONSE.encode() in answer.stdout
        assert RESPONSE not in post(url, {"prompt": PROMPT, "temperature": 0, "n_predict": 24}).text


@needs_torch
def test_an_interrupted_job_is_cancelled(tmp_path: Path) -> None:
    rows = {f"{prompt} {number}": response for number in range(99) for prompt, response in EXAMPLES.items()}
    data, folder = str(write_csv(tmp_path / "data.csv", rows)), tmp_path / "fine-tunes"
    command = [*COMMAND, data, "--fine-tune-path", str(folder)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment()) as process:
        assert process.stderr
        wait_until(lambda: any("'loss'" in path.read_text() for path in folder.glob("jobs/*.jsonl")), "the first steps")
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 130
        assert process.stderr.read().endswith("\ncancelled\n")
    store = Store(folder)
    assert [job.status for job in store.list_jobs()] == ["CANCELLED"]
    assert (store.list_files(), [path for path in store.jobs.iterdir() if path.is_dir()]) == ([], [])


def test_errors_are_one_line(tmp_path: Path) -> None:
    data, folder = str(write_csv(tmp_path / "data.csv")), ("--fine-tune-path", str(tmp_path / "fine-tunes"))
    (tmp_path / "bad.csv").write_text("prompt,response\na,\n")
    assert run(data, *folder, "--epochs", "20", code=1).stderr == (
        'llama-slots: error: --epochs: expected an integer from 1 to 19, got "20"\n'
    )
    assert run(str(tmp_path / "none.csv"), *folder, code=1).stderr.endswith("none.csv: No such file or directory\n")
    assert run(str(tmp_path / "bad.csv"), *folder, code=1).stderr == (
        "llama-slots: error: row 2, column response: expected a text, got nothing\n"
    )
    store = Store(tmp_path / "fine-tunes")
    assert "is in use by another server or fine-tune" in run(data, *folder, code=1).stderr
    store.close()


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_the_progress_is_a_bar_on_a_terminal(tmp_path: Path) -> None:
    events, terminal = EventLog(tmp_path / "events"), Terminal()
    bar = ProgressBar(events, terminal)
    bar.begin("tiny.shown")
    bar.show(1, 4, 2.5)
    events.report(2, {"eval_loss": 1.5})
    bar.show(2, 4, 2.0)
    bar.show(4, 4, 0.25)
    bar.close()
    begin, first, second, last = terminal.getvalue().split("\r")[1:]
    assert begin == "tiny.shown: reading the data and the model"
    assert first.startswith("█" * 7 + "░" * 23 + "  25 % step 1 of 4, loss 2.5000, ")
    assert " 50 % step 2 of 4, loss 2.0000, eval_loss 1.5000, " in second
    assert last.rstrip(" ").startswith("█" * 30 + " 100 % step 4 of 4, loss 0.2500, eval_loss 1.5000")
    assert last.endswith("\n")


def test_elsewhere_each_evaluation_is_a_line(tmp_path: Path) -> None:
    events, output = EventLog(tmp_path / "events"), StringIO()
    bar = ProgressBar(events, output)
    bar.begin("tiny.shown")
    for step in (1, 2, 3):
        if step == 2:
            events.report(2, {"eval_loss": 1.5})
        bar.show(step, 3, 1.0)
    bar.close()
    begin, evaluation = output.getvalue().splitlines()
    assert begin == "tiny.shown: reading the data and the model"
    assert evaluation == "step 2 of 3, loss 1.0000, eval_loss 1.5000"


def test_the_end_says_which_evaluation_decided() -> None:
    losses = (2.5, 1.25, 1.5)
    events = [Event("", metrics={"eval_loss": loss, "epoch": float(i)}) for i, loss in enumerate(losses, start=1)]
    assert describe_choice(events) == (
        "The eval_loss was lowest after epoch 2: 1.2500. What came after it is left out."
    )
    assert describe_choice(events[:2]) == "The eval_loss was lowest after epoch 2: 1.2500. More epochs may help."
