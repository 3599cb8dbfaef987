"""Checkpoint: the network and the tokenizer, which is what an export needs."""

from dataclasses import asdict
from pathlib import Path

import torch
from tokenizers import Tokenizer

from models.bundled_model.network import Network, Shape


def save_checkpoint(path: Path, network: Network, tokenizer: Tokenizer) -> None:
    """Writes the checkpoint atomically."""
    unfinished = path.with_suffix(".unfinished")
    torch.save(
        {"shape": asdict(network.shape), "weights": network.state_dict(), "tokenizer": tokenizer.to_str()}, unfinished
    )
    unfinished.replace(path)


def load_checkpoint(path: Path) -> tuple[Network, Tokenizer]:
    stored = torch.load(path, weights_only=True)
    network = Network(Shape(**stored["shape"]))
    network.load_state_dict(stored["weights"])
    return network, Tokenizer.from_str(stored["tokenizer"])
