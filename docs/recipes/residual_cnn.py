"""A small residual network in PyTorch on handwritten digits (scikit-learn's, 8×8), compared over functions and seeds.

    .venv/bin/python docs/recipes/residual_cnn.py [DIRECTORY] [--small]

`build` and `train` are what a user brings; the last lines are all that the comparison takes.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional

import actlab.torch

FUNCTIONS = ("relu", "leaky_relu", "elu", "gelu", "silu", "mish", "tanh")
PARTS = {"train": slice(0, 1000), "validation": slice(1000, 1400), "test": slice(1400, None)}
WIDTH = 16


def digits(part: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures (samples, 1, 8, 8) from 0 to 1 and their classes, in an order that is always the same."""
    pictures, classes = load_digits(return_X_y=True)
    order = torch.randperm(len(classes), generator=torch.Generator().manual_seed(0))[PARTS[part]]
    return torch.tensor(pictures / 16, dtype=torch.float32).reshape(-1, 1, 8, 8)[order], torch.tensor(classes)[order]


class Block(nn.Module):
    """Two convolutions, each behind a batch normalisation and the function, around which the input goes."""

    def __init__(self, act: Any, width: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            nn.BatchNorm2d(width), act(), nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width), act(), nn.Conv2d(width, width, 3, padding=1, bias=False),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """What it makes of its input, (batch, channels, height, width)."""
        return x + self.inner(x)


def build(act: Any) -> nn.Module:
    """Two blocks between a convolution and a linear layer."""
    return nn.Sequential(
        nn.Conv2d(1, WIDTH, 3, padding=1), Block(act, WIDTH), nn.MaxPool2d(2), Block(act, WIDTH), act(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(WIDTH, 10),
    )  # fmt: skip


def measured(model: nn.Module, part: str) -> dict[str, float]:
    """Loss and accuracy on a part of the data."""
    pictures, classes = digits(part)
    model.eval()
    with torch.no_grad():
        outputs = model(pictures)
    model.train()
    accuracy = (outputs.argmax(1) == classes).float().mean().item()
    return {f"{part}_loss": functional.cross_entropy(outputs, classes).item(), f"{part}_accuracy": accuracy}


def train(model: nn.Module, seed: int, watch: Any, epochs: int = 8) -> None:
    """Adam with a rate that falls along a cosine."""
    pictures, classes = digits("train")
    optimiser = torch.optim.Adam(model.parameters(), 0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    for _ in range(epochs):
        for rows in torch.randperm(len(pictures)).split(50):
            optimiser.zero_grad()
            functional.cross_entropy(model(pictures[rows]), classes[rows]).backward()
            optimiser.step()
        schedule.step()
        watch.epoch(**measured(model, "train"), **measured(model, "validation"), **measured(model, "test"))


def train_briefly(model: nn.Module, seed: int, watch: Any) -> None:
    """One epoch, to see that it runs."""
    train(model, seed, watch, epochs=1)


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    asked.add_argument("directory", nargs="?", type=Path, default=Path("runs/residual_cnn"))
    asked.add_argument("--small", action="store_true", help="two functions, two seeds, one epoch")
    given = asked.parse_args()
    loop, functions, seeds = (train_briefly, FUNCTIONS[:2], 2) if given.small else (train, FUNCTIONS, 6)
    recording = actlab.torch.compare(build, loop, functions, seeds, given.directory)
    print(recording.summary["headline"])
