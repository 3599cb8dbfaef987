"""run_command: `llama-slots fine-tune FILE` makes an adapter out of prompts with responses, as a server's job does."""

import argparse
import json
import logging
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models.errors import ModelError
from models.header import Header, read_header
from models.source import ModelSource, resolve
from models.tuning.dataset import Example, read_examples
from models.tuning.errors import StoreError
from models.tuning.events import Event, EventLog
from models.tuning.records import JobRecord
from server.cli.fine_tune.progress import ProgressBar
from server.cli.values import MAX_THREADS, hub_repository, int_in_range
from server.fine_tuning.base_model import BaseModel
from server.fine_tuning.hyperparameters import read_hyperparameters
from server.fine_tuning.new_job import NewJob
from server.fine_tuning.service import FineTuning
from server.http.errors import ApiError
from server.settings import FineTuneSettings
from slots.errors import EngineError, InvalidRequest

PROGRAM = "llama-slots fine-tune"
FOLDER = Path("fine-tunes")
HYPERPARAMETERS = ("epochs", "lr", "warmup_ratio", "weight_decay", "batch_size", "seed", "peft_config", "report_to")
INTERRUPTED = 130
"""The exit code after Ctrl-C."""
MAX_SHOWN_PROMPT = 200
SECONDS = 10**9
"""That a job in the terminal may run."""


def run_command(arguments: Sequence[str]) -> int:
    """Runs a job. Returns the exit code; unless it is 0, one line on stderr has the reason."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        return _run(options)
    except KeyboardInterrupt:
        print("\ncancelled", file=sys.stderr)
        return INTERRUPTED
    except InvalidRequest as error:
        reason = _as_flag(error)
    except (ModelError, StoreError, EngineError, ApiError) as error:
        reason = str(error)
    except OSError as error:
        reason = f"{error.filename}: {error.strerror}"
    print(f"llama-slots: error: {reason}", file=sys.stderr)
    return 1


def _run(options: argparse.Namespace) -> int:
    source = ModelSource(options.model, options.hf_repo, options.hf_file, os.environ.get("HF_TOKEN"), options.offline)
    header = read_header(resolve(source))
    settings = FineTuneSettings(
        options.fine_tune_path,
        fine_tune_allow_local=True,
        fine_tune_timeout=SECONDS,
        fine_tune_threads=options.threads,
    )
    bar: ProgressBar | None = None

    def show(step: int, n_steps: int, loss: float) -> None:
        if bar is not None:
            bar.show(step, n_steps, loss)

    tuning = FineTuning(settings, _base_model(header, options), lambda *_: None, show)
    training, validation = (_add_file(tuning, source) for source in (options.file, options.validation_file))
    assert training is not None
    try:
        job = tuning.create_job(_new_job(options, training, validation))
        events = tuning.store.events(job.id)
        bar = ProgressBar(events)
        bar.begin(job.name)
        ended = tuning.queue.run(job)
        bar.close()
    finally:
        for file_id in filter(None, (training, validation)):
            tuning.store.remove_file(file_id)
        tuning.store.close()
    return _report(ended, events, options)


def _base_model(header: Header, options: argparse.Namespace) -> BaseModel:
    name = options.alias or options.hf_repo or str(options.model or "bundled")
    return BaseModel.read(name, header.path, header.architecture, header.chat_template, header.n_ctx_train)


def _add_file(tuning: FineTuning, source: str | None) -> str | None:
    """Returns the id of a file of this machine, or its URL."""
    if source is None or source.startswith(("http://", "https://")):
        return source
    return tuning.copy_in(Path(source)).id


def _new_job(options: argparse.Namespace, training: str, validation: str | None) -> NewJob:
    chosen = {name: value for name in HYPERPARAMETERS if (value := getattr(options, name)) is not None}
    reporting = {"base_url": url} if (url := os.environ.get("WANDB_BASE_URL")) else {}
    key = os.environ.get("WANDB_API_KEY", "") if options.report_to == "wandb" else ""
    return NewJob(training, validation, read_hyperparameters(chosen), options.suffix, reporting, key)


def _report(job: JobRecord, events: EventLog, options: argparse.Namespace) -> int:
    """Prints what has come out, and how it is used."""
    if job.status != "SUCCESS":
        print(f"llama-slots: error: {job.reason or 'the job was cancelled'}", file=sys.stderr)
        return 1
    path = options.fine_tune_path / "adapters" / f"{job.name}.gguf"
    example = _first_example(options.file)
    is_chat = bool(example.messages)
    prompt = {"messages": list(example.messages)} if is_chat else {"prompt": example.prompt}
    body = {"model": job.name, **prompt, "max_tokens": 64, "temperature": 0}
    url = f"http://127.0.0.1:8080/v1/{'chat/' if is_chat else ''}completions"
    serve = ["llama-slots", *_model_flags(options), "--fine-tune-path", str(options.fine_tune_path)]
    print(describe_choice(events.read()))
    print(f"{path} is the adapter of {job.name}. Serve it:\n\n    {shlex.join(serve)}\n\nand ask it:\n")
    print(f"    curl {url} --data {shlex.quote(json.dumps(body, ensure_ascii=False))}")
    return 0


def describe_choice(events: Sequence[Event]) -> str:
    """Returns which evaluation decided on the adapter, and what to make of it."""
    metrics = [event.metrics for event in events if event.metrics and "eval_loss" in event.metrics]
    best = min(metrics, key=lambda each: each["eval_loss"])
    text = f"The eval_loss was lowest after epoch {best['epoch']:g}: {best['eval_loss']:.4f}."
    return f"{text} What came after it is left out." if best is not metrics[-1] else f"{text} More epochs may help."


def _first_example(source: str) -> Example:
    """Returns an example to ask for; of a URL none is at hand any more."""
    if source.startswith(("http://", "https://")):
        return Example("Hello", "")
    example = read_examples(Path(source))[0]
    return Example(example.prompt[:MAX_SHOWN_PROMPT], "", example.messages)


def _model_flags(options: argparse.Namespace) -> list[str]:
    given = (("--model", options.model), ("--hf-repo", options.hf_repo), ("--hf-file", options.hf_file))
    return [part for flag, value in (*given, ("--alias", options.alias)) if value for part in (flag, str(value))]


def _as_flag(error: InvalidRequest) -> str:
    """Returns the message with the flag in place of the request's field."""
    words = str(error).removeprefix(f"{error.field}: ")
    if error.field == "training_file":
        return words
    return f"--{error.field.removeprefix('hyperparameters.').replace('_', '-')}: {words}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=PROGRAM, description=__doc__.partition(": ")[2], allow_abbrev=False)

    def add(flag: str, help_text: str, **more: Any) -> None:  # noqa: ANN401 - argparse's
        parser.add_argument(*flag.split(", "), help=help_text, **more)

    add("file", "CSV with the columns prompt and response, or JSON lines; a path or a URL", metavar="FILE")
    add("--validation-file", "the same for validation; without one, a tenth of the rows", metavar="FILE")
    add("--suffix", "part of the new model's name: letters, digits and hyphens", metavar="NAME")
    add("--fine-tune-path", f"folder of fine-tunes (default: {FOLDER})", type=Path, default=FOLDER, metavar="DIR")
    add("-m, --model", "model file in GGUF format (default: the bundled model)", type=Path, metavar="FILE")
    add("-hf, --hf-repo", "Hugging Face repository of the model", type=hub_repository, metavar="USER/REPO[:QUANT]")
    add("-hff, --hf-file", "file in the Hugging Face repository", metavar="FILE")
    add("--offline", "use files downloaded earlier", action="store_true")
    add("-a, --alias", "the model's name, with which the new one's begins", metavar="NAME")
    add("-t, --threads", "CPU threads (default: 1)", type=int_in_range(1, MAX_THREADS), default=1, metavar="N")
    add("--epochs", "how often all rows are seen (default: 5)", metavar="N")
    add("--lr", "peak learning rate (default: 0.002)", metavar="N")
    add("--warmup-ratio", "share of the steps in which it rises (default: 0.03)", metavar="N")
    add("--weight-decay", "of AdamW (default: 0.001)", metavar="N")
    add("--batch-size", "rows of a step (default: 8)", metavar="N")
    add("--seed", "of the order of rows and the first weights (default: 0)", metavar="N")
    add("--peft-config", 'members of PEFT\'s LoraConfig, such as {"r": 16, "lora_alpha": 32}', metavar="JSON")
    add("--report-to", "wandb: report to Weights & Biases with the key in WANDB_API_KEY", metavar="NAME")
    return parser
