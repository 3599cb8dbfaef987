"""Runs a job. It reads the key for reports, if there is one, as the first line of stdin, and ends when stdin does: then
the server is gone. It prints its progress as lines of JSON."""

import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from models.tuning.dataset import Example, read_examples, split_validation
from models.tuning.errors import DatasetError, TrainerMissing, TuningError
from models.tuning.events import EventLog
from server.fine_tuning.job.download import download
from server.fine_tuning.job.reporting import NoReport, Report, WandbReport
from server.fine_tuning.job.spec import RESULT, TRAINING, VALIDATION, JobSpec

if TYPE_CHECKING:
    from models.tuning.sequences import TokenSequence

NICENESS = 10
PROGRESS_SECONDS = 0.2
FAILED, ORPHANED = 1, 3
"""Exit codes."""


def main() -> int:
    """Returns the exit code. What went wrong is the last event."""
    folder = Path(sys.argv[1])
    events = EventLog(folder.with_name(f"{folder.name}.jsonl"))
    key: str = json.loads(sys.stdin.readline() or '""')
    threading.Thread(target=_end_with_server, daemon=True).start()
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    try:
        spec = JobSpec.read(folder)
        _limit_threads(spec.n_threads)
        _run(spec, folder, events, key)
    except (TuningError, MemoryError) as error:
        events.say(str(error) or "the memory of the machine does not suffice", "error")
        return FAILED
    except Exception as error:
        text = traceback.format_exc()
        print(text.replace(key, "***") if key else text, file=sys.stderr)
        words = f"the training failed: {type(error).__name__}: {error}"
        events.say(words.replace(key, "***") if key else words, "error")
        return FAILED
    return 0


def _end_with_server() -> None:
    while os.read(0, 1):
        pass
    os._exit(ORPHANED)


def _limit_threads(n_threads: int) -> None:
    """Before the first import of a library that starts threads."""
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"):
        os.environ[variable] = str(n_threads)
    os.environ |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


def _run(spec: JobSpec, folder: Path, events: EventLog, key: str) -> None:
    """Raises TuningError."""
    _fetch(spec, folder, events)
    examples = _read_examples(spec, folder)
    import torch  # noqa: PLC0415 - after the number of threads is set

    from models.tuning.trainers import load_network  # noqa: PLC0415
    from models.tuning.training import Output, Training  # noqa: PLC0415

    torch.set_num_threads(spec.n_threads)
    torch.manual_seed(spec.options.seed)
    training, validation = _tokenize(spec, examples, events)
    events.say(f"training with {len(training)} rows, {len(validation)} more for validation")
    try:
        network = load_network(Path(spec.model_path), spec.architecture, spec.options.lora)
    except TrainerMissing as error:
        raise TuningError(str(error)) from None
    report: Report = NoReport()
    if spec.options.report_to == "wandb":
        report = WandbReport(folder, spec.name, spec.options.to_json(), spec.reporting, key)
    output = Output(folder, events, spec.architecture, spec.name, _progress_printer(), report.metrics)
    run = Training(network, training, validation, spec.options, output)
    loss = run.run()
    report.close()
    (folder / RESULT).write_text(json.dumps({"eval_loss": loss, "n_tokens": run.n_tokens}))


def _fetch(spec: JobSpec, folder: Path, events: EventLog) -> None:
    """Fetches what URLs name, unless an earlier run has."""
    for part, url in ((TRAINING, spec.training_url), (VALIDATION, spec.validation_url)):
        if url is not None and not (folder / part).exists():
            try:
                download(url, folder / part, spec.limits)
            except TuningError as error:
                raise TuningError(f"{part}_file: {error}") from None
            events.say(f"fetched the {part} file, {(folder / part).stat().st_size} bytes")


def _read_examples(spec: JobSpec, folder: Path) -> dict[str, list[Example]]:
    """Returns the examples of each file. Raises TuningError."""
    examples = {}
    for part in (TRAINING, *([VALIDATION] if spec.has_validation else [])):
        try:
            examples[part] = read_examples(folder / part)
        except DatasetError as error:
            raise TuningError(f"{part}_file: {error}") from None
    return examples


def _tokenize(
    spec: JobSpec, examples: Mapping[str, list[Example]], events: EventLog
) -> "tuple[list[TokenSequence], list[TokenSequence]]":
    """Returns the sequences for training and for validation. Raises TuningError."""
    from server.fine_tuning.job.sequences import SequenceMaker  # noqa: PLC0415 - imports torch
    from slots.llama import load_vocab  # noqa: PLC0415 - imports llama.cpp

    vocab = load_vocab(Path(spec.model_path))
    maker = SequenceMaker(vocab, spec.chat_template, spec.n_ctx, spec.template_kwargs)
    sequences = {}
    for part, rows in examples.items():
        try:
            tokenized = maker.tokenize(rows)
        except DatasetError as error:
            raise TuningError(f"{part}_file: {error}") from None
        if n_cut := tokenized.n_truncated:
            events.say(f"{n_cut} rows of the {part} file lose their ends, to fit into {spec.n_ctx} tokens", "warning")
        if n_out := tokenized.n_without_response:
            events.say(f"{n_out} rows of the {part} file are left out: their prompts fill the context", "warning")
        sequences[part] = tokenized.sequences
    training = sequences[TRAINING]
    return (training, sequences[VALIDATION]) if spec.has_validation else split_validation(training, spec.options.seed)


def _progress_printer() -> Callable[[int, int, float], None]:
    """Returns what prints the number of steps done, of all, and the last one's loss; not for every short step."""
    last = 0.0

    def show(step: int, n_steps: int, loss: float) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= PROGRESS_SECONDS or step == n_steps:
            last = now
            with suppress(OSError):
                print(json.dumps([step, n_steps, round(loss, 4)]), flush=True)

    return show


if __name__ == "__main__":
    sys.exit(main())
