"""Reporting: the metrics of a training to Weights & Biases, by its own package."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

RUN_OPTIONS = ("project", "entity", "group", "job_type", "tags", "notes")
"""What requests may say about the run, but for its name and the address."""


class Report(Protocol):
    def metrics(self, step: int, values: Mapping[str, float]) -> None: ...

    def close(self) -> None: ...


class NoReport:
    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        pass

    def close(self) -> None:
        pass


class WandbReport:
    def __init__(
        self, folder: Path, name: str, config: Mapping[str, Any], options: Mapping[str, Any], key: str
    ) -> None:
        """`folder` is for what the package writes; the key is given to it alone, and it writes none."""
        import wandb  # noqa: PLC0415 - an extra

        address = {"base_url": options["base_url"]} if options.get("base_url") else {}
        settings = wandb.Settings(api_key=key, silent=True, console="off", disable_git=True, save_code=False, **address)
        chosen = {option: options[option] for option in RUN_OPTIONS if option in options}
        chosen.setdefault("project", "llama-slots")
        self._run = wandb.init(
            name=options.get("name") or name, config=dict(config), dir=str(folder), settings=settings, **chosen
        )

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log(dict(values), step=step)

    def close(self) -> None:
        self._run.finish()


def has_wandb() -> bool:
    return find_spec("wandb") is not None
