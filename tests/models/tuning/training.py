"""A small training of the bundled model, for tests. Importing this needs torch."""

from pathlib import Path

import gguf
import llama_cpp
import numpy as np
import torch
from numpy.typing import NDArray

from models.source import BUNDLED_MODEL
from models.tuning.dataset import Example
from models.tuning.events import EventLog
from models.tuning.network import TrainedNetwork
from models.tuning.options import LoraOptions, TrainingOptions
from models.tuning.sequences import TokenSequence
from models.tuning.trainers import load_network
from models.tuning.training import Output, Training
from server.fine_tuning.job.sequences import SequenceMaker
from slots.llama import load_vocab
from tests.fine_tunes import EXAMPLES

OPTIONS = TrainingOptions(epochs=2, batch_size=2, lora=LoraOptions(lora_dropout=0.1))
N_STEPS = 6
"""In these epochs."""


def sequences() -> list[TokenSequence]:
    maker = SequenceMaker(load_vocab(BUNDLED_MODEL), None, 2048)
    return maker.tokenize([Example(prompt, response) for prompt, response in EXAMPLES.items()]).sequences


def load(lora: LoraOptions) -> TrainedNetwork:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    return load_network(BUNDLED_MODEL, "llama", lora)


def train(folder: Path, options: TrainingOptions, stop_after: int | None = None) -> float:
    """Returns the lowest loss. Raises InterruptedError after `stop_after` steps."""

    def on_progress(step: int, n_steps: int, loss: float) -> None:
        assert (n_steps, loss > 0) == (N_STEPS, True)
        if step == stop_after:
            raise InterruptedError

    folder.mkdir(exist_ok=True)
    output = Output(folder, EventLog(folder / "events"), "llama", "name", on_progress)
    rows = sequences()
    return Training(load(options.lora), rows, rows[:3], options, output).run()


def tensors(path: Path) -> dict[str, NDArray[np.float32]]:
    return {tensor.name: np.array(tensor.data) for tensor in gguf.GGUFReader(path).tensors}


def llama_cpp_loss(rows: list[TokenSequence], adapter: Path | None = None) -> float:
    """Returns the sum of the loss of all tokens of the responses, as llama.cpp computes it with an adapter."""
    lora = None if adapter is None else str(adapter)
    llama = llama_cpp.Llama(str(BUNDLED_MODEL), lora_path=lora, n_ctx=256, n_threads=1, logits_all=True, verbose=False)
    total = 0.0
    for row in rows:
        llama.reset()  # type: ignore[no-untyped-call]
        llama.eval(row.tokens)
        start = row.n_prompt - 1
        logits = torch.from_numpy(llama.scores[start : len(row.tokens) - 1].astype(np.float32))
        labels = torch.tensor(row.tokens[start + 1 :])
        total += float(torch.nn.functional.cross_entropy(logits, labels, reduction="sum"))
    llama.close()
    return total
