"""ProgressBar: the progress of a job on one line of a terminal, or on a line for each evaluation elsewhere."""

import sys
import time
from typing import TextIO

from models.tuning.events import EventLog

WIDTH = 30


class ProgressBar:
    """Shows that the job begins, then the steps, the training loss, and the loss of the last evaluation."""

    def __init__(self, events: EventLog, output: TextIO = sys.stderr) -> None:
        self._events, self._output = events, output
        self._is_terminal = output.isatty()
        self._started = time.monotonic()
        self._first_step: int | None = None
        self._shown_evaluation: int | None = None
        self._n_shown = 0

    def begin(self, name: str) -> None:
        """Says what is made: until the first step, PyTorch and the model are loaded, which takes a while."""
        text = f"{name}: reading the data and the model"
        if self._is_terminal:
            self._write_over(text)
        else:
            self._output.write(f"{text}\n")
            self._output.flush()

    def show(self, step: int, n_steps: int, loss: float) -> None:
        self._first_step = step - 1 if self._first_step is None else self._first_step
        evaluation = self._last_evaluation()
        text = f"step {step} of {n_steps}, loss {loss:.4f}"
        if evaluation is not None:
            text += f", eval_loss {evaluation[1]:.4f}"
        if self._is_terminal:
            bar = "█" * (WIDTH * step // n_steps)
            line = f"{bar:░<{WIDTH}} {100 * step // n_steps:3} % {text}{self._remaining(step, n_steps)}"
            self._write_over(line)
        elif evaluation is not None and evaluation[0] != self._shown_evaluation:
            self._output.write(f"{text}\n")
        self._shown_evaluation = evaluation[0] if evaluation else None
        self._output.flush()

    def close(self) -> None:
        if self._n_shown:
            self._output.write("\n")

    def _write_over(self, line: str) -> None:
        self._output.write(f"\r{line:<{self._n_shown}}")
        self._output.flush()
        self._n_shown = len(line)

    def _last_evaluation(self) -> tuple[int, float] | None:
        """Returns the step of the last evaluation, and its loss."""
        for event in reversed(self._events.read()):
            if event.metrics and "eval_loss" in event.metrics:
                return event.step or 0, event.metrics["eval_loss"]
        return None

    def _remaining(self, step: int, n_steps: int) -> str:
        seconds = (time.monotonic() - self._started) / (step - (self._first_step or 0)) * (n_steps - step)
        return f", {int(seconds) // 60}:{int(seconds) % 60:02} left" if step < n_steps else ""
