"""Training of the bundled model from scratch: corpus, tokenizer, network, GGUF file.

python -m models.bundled_model.train --stories ../shared/data/tinystories-sample.txt --out models/bundled.gguf
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor

from models.bundled_model.checkpoint import save_checkpoint
from models.bundled_model.corpus.mixture import documents
from models.bundled_model.corpus.phrasing import BREAK
from models.bundled_model.corpus.stories import load_stories
from models.bundled_model.export import export
from models.bundled_model.network import Network, Shape
from models.bundled_model.optimizer import Budget, Muon, learning_rate_factor, wants_long_sequences
from models.bundled_model.packing import batches, encode_documents
from models.bundled_model.tokenizer import VOCAB_SIZE, train_tokenizer

CORPUS_SEED, LONG_CORPUS_SEED, HELD_OUT_SEED = 1, 2, 3
TOKENIZER_DOCUMENTS = 20_000
TOKENS_A_STEP = 2048
SHORT, LONG = 256, 2048
STEPS_A_REPORT = 50
REPORTS_A_CHECKPOINT = 4
MUON_RATE, ADAM_RATE = 0.02, 0.008
SHAPE = Shape(VOCAB_SIZE, context_length=LONG, width=128, layers=6, heads=2, kv_heads=1, feed_forward=384)


@dataclass(frozen=True)
class Corpus:
    """Batches to train on, short and long, and one held-out batch."""

    short: Iterator[Tensor]
    long: Iterator[Tensor]
    held_out: Tensor


def texts(stories: list[str], seed: int) -> Iterator[str]:
    """The documents of the corpus, with prompt breaks."""
    return (text for _, text in documents(stories, seed))


def load_corpus(stories_path: Path) -> tuple[Corpus, Tokenizer]:
    """Trains the tokenizer on the first documents of the corpus; returns the batches and the tokenizer."""
    training, held_out = load_stories(stories_path)
    sample = islice(texts(training, CORPUS_SEED), TOKENIZER_DOCUMENTS)
    tokenizer = train_tokenizer(text.replace(BREAK, "") for text in sample)
    corpus = Corpus(
        batches(encode_documents(texts(training, CORPUS_SEED), tokenizer), SHORT, TOKENS_A_STEP),
        batches(encode_documents(texts(training, LONG_CORPUS_SEED), tokenizer), LONG, TOKENS_A_STEP),
        next(batches(encode_documents(texts(held_out, HELD_OUT_SEED), tokenizer), SHORT, 8 * TOKENS_A_STEP)),
    )
    return corpus, tokenizer


def create_optimizers(network: Network) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the blocks, AdamW (Loshchilov and Hutter, 2019) for the embedding and the norms."""
    matrices = [p for p in network.blocks.parameters() if p.ndim == 2]
    others = [network.embedding.weight, *(p for p in network.parameters() if p.ndim == 1)]
    optimizers = [
        Muon(matrices, lr=MUON_RATE, momentum=0.95, weight_decay=0.1),
        torch.optim.AdamW(others, lr=ADAM_RATE, betas=(0.9, 0.95), weight_decay=0.0),
    ]
    for group in (group for optimizer in optimizers for group in optimizer.param_groups):
        group["full_rate"] = group["lr"]
    return optimizers


def train_step(network: Network, optimizers: list[torch.optim.Optimizer], batch: Tensor, rate_factor: float) -> float:
    """Takes one step and returns the loss before it, in nats a token."""
    loss = network.loss(batch)
    torch.autograd.backward(loss)
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["full_rate"] * rate_factor
        optimizer.step()
        optimizer.zero_grad()
    return loss.item()


@torch.no_grad()
def held_out_loss(network: Network, batch: Tensor) -> float:
    """The mean loss over the held-out batch, in nats a token."""
    return float(torch.stack([network.loss(rows) for rows in torch.chunk(batch, 8)]).mean())


def train(network: Network, corpus: Corpus, tokenizer: Tokenizer, budget: Budget, checkpoint: Path) -> None:
    """Trains until the budget is used up. Prints losses, and writes checkpoints that can be exported at any time."""
    optimizers, losses, step, started = create_optimizers(network), list[float](), 0, time.monotonic()
    while (used := budget.used) < 1:
        batch = next(corpus.long if wants_long_sequences(used) else corpus.short)
        losses.append(train_step(network, optimizers, batch, learning_rate_factor(used)))
        step += 1
        if step % STEPS_A_REPORT == 0:
            rate = step * TOKENS_A_STEP / (time.monotonic() - started)
            print(f"{used:6.1%} step {step} loss {sum(losses) / len(losses):.3f} {rate:.0f} tokens/s", flush=True)
            losses.clear()
        if step % (STEPS_A_REPORT * REPORTS_A_CHECKPOINT) == 0:
            print(f"held-out loss {held_out_loss(network, corpus.held_out):.3f}", flush=True)
            save_checkpoint(checkpoint, network, tokenizer)
    save_checkpoint(checkpoint, network, tokenizer)
    print(f"{step} steps, {step * TOKENS_A_STEP:,} tokens, {time.monotonic() - started:.0f} s")
    print(f"held-out loss {held_out_loss(network, corpus.held_out):.3f}")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stories", type=Path, default=Path("../shared/data/tinystories-sample.txt"))
    parser.add_argument("--out", type=Path, default=Path("models/bundled.gguf"))
    parser.add_argument("--checkpoint", type=Path, default=Path(tempfile.gettempdir()) / "bundled-checkpoint.pt")
    parser.add_argument("--minutes", type=float, default=40.0, help="wall time of the training")
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    budget = Budget(arguments.minutes * 60)
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(CORPUS_SEED)
    corpus, tokenizer = load_corpus(arguments.stories)
    network = Network(SHAPE)
    print(f"{sum(p.numel() for p in network.parameters()):,} parameters")
    train(network, corpus, tokenizer, budget, arguments.checkpoint)
    export(network, tokenizer, arguments.out)


if __name__ == "__main__":
    main()
