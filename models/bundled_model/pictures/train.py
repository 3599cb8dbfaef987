"""Training of the tower for bundled.gguf, whose weights stay as they are.

python -m models.bundled_model.pictures.train --out models/bundled-mmproj.gguf --minutes 45 --threads 1

First the tower learns alone to say of each patch which shape and colour covers it, and how many shapes there are;
then the tower and the projector learn, through the text model, to make it answer.
"""

import argparse
import math
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from models.bundled_model.network import Network
from models.bundled_model.optimizer import Budget
from models.bundled_model.pictures.exchanges import ask
from models.bundled_model.pictures.export import export, load_tower
from models.bundled_model.pictures.prompts import PICTURE, dialogue
from models.bundled_model.pictures.scenes import COLOURS, MAX_SHAPES, SHAPES, Scene, draw_scene, render
from models.bundled_model.pictures.text_model import load_text_model, logits_at
from models.bundled_model.pictures.tower import Tower, TowerShape

SEED = 7
BATCH = 48
DIALOGUES = 32
MAX_EXCHANGES = 3
ALONE_SHARE = 0.25
"""Share of the time in which the tower learns without the text model."""
RATE = 1e-3
STEPS_A_REPORT = 100
STEPS_AN_EXPORT = 500
RENDER_SIZES = (64, 64, 64, 80, 96)


class Labels(nn.Module):
    """Reads off a tower's features what each patch shows. Used only while the tower learns alone."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.kind = nn.Linear(width, len(SHAPES) + 1)
        self.colour = nn.Linear(width, len(COLOURS) + 1)
        self.count = nn.Linear(width, MAX_SHAPES)

    def loss(self, features: Tensor, labels: Tensor) -> Tensor:
        """Mean cross-entropy: features (batch, tokens, width), labels (batch, tokens, 3) int64."""
        losses = [
            functional.cross_entropy(head(features).flatten(0, 1), labels[..., i].flatten())
            for i, head in enumerate((self.kind, self.colour, self.count))
        ]
        return torch.stack(losses).sum()


def pixels_of(scene: Scene, tower: TowerShape, rng: Random) -> np.ndarray:
    """The picture as llama.cpp hands it to the tower, (3, size, size) float32 from -1 to 1."""
    pixels = render(scene, rng.choice(RENDER_SIZES))
    resized = torch.from_numpy(pixels).permute(2, 0, 1)[None].float()
    if pixels.shape[0] != tower.image_size:
        resized = functional.interpolate(resized, tower.image_size, mode="bicubic", antialias=True).clamp(0, 255)
    scaled: np.ndarray = (resized[0] / 255 - 0.5).numpy() / 0.5
    return scaled


def patch_labels(scene: Scene, tower: TowerShape) -> np.ndarray:
    """Of each patch the shape and colour that is nearest to its centre, if it reaches the patch; (tokens, 3) int64."""
    side = tower.image_size // tower.patch_size
    labels = np.zeros((side, side, 3), np.int64)
    labels[..., 2] = len(scene.shapes) - 1
    half = 0.5 / side
    for row in range(side):
        for column in range(side):
            x, y = (column + 0.5) / side, (row + 0.5) / side
            shape = min(scene.shapes, key=lambda s: math.hypot(s.x - x, s.y - y) - s.radius)
            if math.hypot(shape.x - x, shape.y - y) < shape.radius + half * 0.5:
                labels[row, column, :2] = SHAPES.index(shape.kind) + 1, list(COLOURS).index(shape.colour) + 1
    return labels.reshape(-1, 3)


def draw_count(rng: Random) -> int:
    return rng.choice([1, 1, 2, 3])


def train_alone(tower: Tower, budget: Budget, end: float) -> None:
    """Trains the tower to label patches, until `end` of the budget is used up."""
    rng = Random(SEED)
    labels = Labels(tower.shape.width)
    parameters = [*tower.parameters(), *labels.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=RATE, betas=(0.9, 0.98), weight_decay=0.01)
    losses: list[float] = []
    start = budget.used
    while (used := (budget.used - start) / (end - start)) < 1:
        scenes = [draw_scene(rng, draw_count(rng)) for _ in range(BATCH)]
        pixels = torch.from_numpy(np.stack([pixels_of(scene, tower.shape, rng) for scene in scenes]))
        wanted = torch.from_numpy(np.stack([patch_labels(scene, tower.shape) for scene in scenes]))
        loss = labels.loss(tower.features(pixels), wanted)
        step(optimizer, loss, parameters, used)
        losses.append(loss.item())
        report(losses, used, "alone")


def step(optimizer: torch.optim.Optimizer, loss: Tensor, parameters: list[nn.Parameter], used: float) -> None:
    """Takes one step with warm-up and a cosine decay by the share of time that is used up."""
    torch.autograd.backward(loss)
    nn.utils.clip_grad_norm_(parameters, 1.0)
    factor = min(1.0, used / 0.02) * (0.02 + 0.98 * (1 + math.cos(math.pi * min(1.0, used))) / 2)
    for group in optimizer.param_groups:
        group["lr"] = group.setdefault("full_rate", group["lr"]) * factor
    optimizer.step()
    optimizer.zero_grad()


def report(losses: list[float], used: float, stage: str) -> None:
    if len(losses) % STEPS_A_REPORT == 0:
        print(f"{stage} {used:6.1%} step {len(losses)} loss {np.mean(losses[-STEPS_A_REPORT:]):.4f}", flush=True)


@dataclass(frozen=True)
class Row:
    """The tokens of a dialogue. Those in the place of the picture stand for its embeddings; answers are learned."""

    tokens: list[int]
    is_picture: list[bool]
    is_answer: list[bool]


def text_row(tokenizer: Tokenizer, scene: Scene, n_picture: int, rng: Random) -> Row:
    """Draws a dialogue of one to three questions about a scene."""
    row = Row([], [], [])

    def add(text: str, is_answer: bool) -> None:
        tokens = tokenizer.encode(text).ids
        row.tokens.extend(tokens)
        row.is_picture.extend([False] * len(tokens))
        row.is_answer.extend([is_answer] * len(tokens))

    for text, is_answer in dialogue([ask(scene, rng) for _ in range(rng.randint(1, MAX_EXCHANGES))], rng):
        before, has_picture, behind = text.partition(PICTURE)
        add(before, is_answer)
        if has_picture:
            row.tokens.extend([0] * n_picture)
            row.is_picture.extend([True] * n_picture)
            row.is_answer.extend([False] * n_picture)
            add(behind, is_answer)
    return row


def answer_loss(network: Network, pictures: Tensor, rows: list[Row]) -> Tensor:
    """Mean cross-entropy of the answers' tokens: pictures (batch, tokens, width)."""
    length = max(len(row.tokens) for row in rows)

    def padded(values: list[list[bool]] | list[list[int]], dtype: torch.dtype) -> Tensor:
        return torch.tensor([[*row, *[0] * (length - len(row))] for row in values], dtype=dtype)

    tokens = padded([row.tokens for row in rows], torch.int64)
    is_picture = padded([row.is_picture for row in rows], torch.bool)
    is_answer = padded([row.is_answer for row in rows], torch.bool)
    embeddings = network.embedding(tokens).masked_scatter(is_picture[..., None], pictures)
    before_answers = functional.pad(is_answer[:, 1:], (0, 1))
    return functional.cross_entropy(logits_at(network, embeddings, before_answers), tokens[is_answer])


def train_together(tower: Tower, network: Network, tokenizer: Tokenizer, budget: Budget, out: Path) -> None:
    """Trains the tower and the projector through the frozen text model, until the budget is used up."""
    rng = Random(SEED + 1)
    network.requires_grad_(False)
    parameters = list(tower.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=RATE, betas=(0.9, 0.98), weight_decay=0.01)
    losses: list[float] = []
    start = budget.used
    while (used := (budget.used - start) / (1 - start)) < 1:
        scenes = [draw_scene(rng, draw_count(rng)) for _ in range(DIALOGUES)]
        pixels = torch.from_numpy(np.stack([pixels_of(scene, tower.shape, rng) for scene in scenes]))
        rows = [text_row(tokenizer, scene, tower.shape.tokens, rng) for scene in scenes]
        loss = answer_loss(network, tower(pixels), rows)
        step(optimizer, loss, parameters, used)
        losses.append(loss.item())
        report(losses, used, "together")
        if len(losses) % STEPS_AN_EXPORT == 0:
            export(tower, out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("models/bundled.gguf"))
    parser.add_argument("--out", type=Path, default=Path("models/bundled-mmproj.gguf"))
    parser.add_argument("--resume", type=Path, help="an exported tower to go on from, without the first part")
    parser.add_argument("--minutes", type=float, default=45.0, help="wall time of the training")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    budget = Budget(arguments.minutes * 60)
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(SEED)
    network, tokenizer = load_text_model(arguments.model)
    if arguments.resume:
        tower = load_tower(arguments.resume)
    else:
        tower = Tower(TowerShape(network.shape.width))
        train_alone(tower, budget, ALONE_SHARE)
    train_together(tower, network, tokenizer, budget, arguments.out)
    export(tower, arguments.out)


if __name__ == "__main__":
    main()
