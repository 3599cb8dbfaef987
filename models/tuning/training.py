"""Training: the steps of a job, with evaluations, checkpoints, and the adapter of the lowest loss."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from models.tuning.adapter_file import write_adapter
from models.tuning.errors import TuningError
from models.tuning.events import EventLog
from models.tuning.network import TrainedNetwork
from models.tuning.options import TrainingOptions
from models.tuning.sequences import TokenSequence, batches, make_batch, shuffled_batches

EVALUATIONS = 2
"""In an epoch."""
REPORTS = 10
"""Of the training loss, in an epoch."""
MAX_GRADIENT_NORM = 1.0

OnProgress = Callable[[int, int, float], None]
"""Gets the number of steps done and of all, and the loss of the last one."""


@dataclass(frozen=True, slots=True)
class Output:
    """Where the results go."""

    folder: Path
    events: EventLog
    architecture: str
    name: str
    """Of the adapter."""
    on_progress: OnProgress = lambda *_: None
    on_metrics: Callable[[int, dict[str, float]], None] = lambda *_: None

    @property
    def adapter(self) -> Path:
        return self.folder / "adapter.gguf"

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint.pt"


class Training:
    """A run of the optimizer over the training data. It goes on from the last checkpoint, if there is one."""

    def __init__(
        self,
        network: TrainedNetwork,
        training: Sequence[TokenSequence],
        validation: Sequence[TokenSequence],
        options: TrainingOptions,
        output: Output,
    ) -> None:
        self._network, self._options, self._output = network, options, output
        self._training = training
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        network.module.to(self._device)
        self._validation = [batch.to(self._device) for batch in batches(validation, options.batch_size)]
        self._n_validation = len(validation)
        self._parameters = [each for each in network.module.parameters() if each.requires_grad]
        self._optimizer = torch.optim.AdamW(self._parameters, lr=options.lr, weight_decay=options.weight_decay)
        self._epoch_steps = math.ceil(len(training) / options.batch_size)
        self._n_steps = self._epoch_steps * options.epochs
        self._step = 0
        self._best = math.inf
        self.n_tokens = 0
        """Trained so far."""
        self._sums: list[tuple[float, int]] = []
        """Loss and number of tokens of the steps since the last report."""

    def run(self) -> float:
        """Returns the lowest loss of the validation. Raises TuningError if the loss stops being a number."""
        self._restore()
        while self._step < self._n_steps:
            epoch, first = divmod(self._step, self._epoch_steps)
            rows = shuffled_batches(self._training, self._options.batch_size, self._options.seed, epoch)
            for batch in rows[first:]:
                self._take_step(batch)
                self._report()
        return self._best

    def _take_step(self, rows: Sequence[TokenSequence]) -> None:
        self._network.module.train()
        rate = learning_rate(self._step, self._n_steps, self._options)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        # Dropout is the same after a restart.
        torch.manual_seed(self._options.seed + self._step)
        batch = make_batch(rows).to(self._device)
        loss = self._network.loss(batch.tokens, batch.labels)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise TuningError(f"the loss is {value} in step {self._step + 1}: a lower lr may help")
        torch.autograd.backward(loss / batch.n_labels)
        torch.nn.utils.clip_grad_norm_(self._parameters, MAX_GRADIENT_NORM)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self._step += 1
        self.n_tokens += batch.n_labels
        self._sums.append((value, batch.n_labels))
        self._output.on_progress(self._step, self._n_steps, value / batch.n_labels)

    def _report(self) -> None:
        within = self._step % self._epoch_steps or self._epoch_steps
        is_last = within == self._epoch_steps
        if is_last or within % math.ceil(self._epoch_steps / REPORTS) == 0:
            n_labels = sum(n for _, n in self._sums)
            rate = float(self._optimizer.param_groups[0]["lr"])
            self._say({"loss": sum(loss for loss, _ in self._sums) / n_labels, "learning_rate": rate})
            self._sums.clear()
        if is_last or within % math.ceil(self._epoch_steps / EVALUATIONS) == 0:
            self._evaluate()
            self._save()

    def _say(self, metrics: dict[str, float]) -> None:
        metrics["epoch"] = round(self._step / self._epoch_steps, 2)
        self._output.events.report(self._step, metrics)
        self._output.on_metrics(self._step, metrics)

    def _evaluate(self) -> None:
        """Measures the loss of the validation, and keeps the adapter if it is the lowest so far."""
        self._network.module.eval()
        started = time.monotonic()
        with torch.no_grad():
            total = sum(float(self._network.loss(batch.tokens, batch.labels)) for batch in self._validation)
        seconds = max(time.monotonic() - started, 1e-6)
        loss = total / sum(batch.n_labels for batch in self._validation)
        self._say(
            {
                "eval_loss": loss,
                "eval_runtime": seconds,
                "eval_samples_per_second": self._n_validation / seconds,
                "eval_steps_per_second": len(self._validation) / seconds,
            }
        )
        if loss < self._best:
            self._best = loss
            output, alpha = self._output, self._options.lora.file_alpha
            write_adapter(output.adapter, output.architecture, output.name, alpha, self._network.pairs())

    def _save(self) -> None:
        state: dict[str, Any] = {
            "parameters": [parameter.detach().cpu() for parameter in self._parameters],
            "optimizer": self._optimizer.state_dict(),
            "step": self._step,
            "best": self._best,
            "n_tokens": self.n_tokens,
        }
        path = self._output.checkpoint
        temporary = path.with_suffix(".tmp")
        torch.save(state, temporary)
        temporary.replace(path)

    def _restore(self) -> None:
        path = self._output.checkpoint
        if not path.exists():
            return
        state = torch.load(path, map_location="cpu", weights_only=True)
        with torch.no_grad():
            for parameter, saved in zip(self._parameters, state["parameters"], strict=True):
                parameter.copy_(saved)
        self._optimizer.load_state_dict(state["optimizer"])
        self._step, self._best, self.n_tokens = state["step"], state["best"], state["n_tokens"]
        self._output.events.say(f"going on from the checkpoint after step {self._step} of {self._n_steps}")


def learning_rate(step: int, n_steps: int, options: TrainingOptions) -> float:
    """Returns the rate of a step: it rises to the peak in the first `warmup_ratio` of them, then falls with a cosine
    (Loshchilov and Hutter, 2017)."""
    n_warmup = math.ceil(n_steps * options.warmup_ratio) if options.warmup_ratio > 0 else 0
    if step < n_warmup:
        return options.lr * (step + 1) / n_warmup
    done = (step - n_warmup) / max(n_steps - n_warmup, 1)
    return options.lr * 0.5 * (1 + math.cos(math.pi * done))
