"""What the trainings share: data that scikit-learn ships or makes, and ordinary loops."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from benchmarks.trainings.training import Build, Half, Training
from sklearn import datasets
from torch import nn


@dataclass(frozen=True)
class Data:
    """Inputs and targets, the first three quarters to train on; targets are classes (int64) or numbers (float32)."""

    x: torch.Tensor
    y: torch.Tensor

    def part(self, train: bool) -> Data:
        cut = len(self.x) * 3 // 4
        return Data(self.x[:cut], self.y[:cut]) if train else Data(self.x[cut:], self.y[cut:])


def _made(x: Any, y: Any, *, standard: bool = True, numbers: bool = False) -> Data:
    order = np.random.default_rng(0).permutation(len(x))
    x = np.asarray(x, np.float32)[order]
    y = np.asarray(y)[order]
    if standard:
        x = (x - x.mean(axis=0)) / (x.std(axis=0) + 1e-6)
    if not numbers:
        return Data(torch.tensor(x), torch.tensor(y, dtype=torch.int64))
    y = np.asarray(y, np.float32).reshape(len(y), -1)
    return Data(torch.tensor(x), torch.tensor((y - y.mean(axis=0)) / y.std(axis=0)))


@cache
def data_of(name: str) -> Data:
    """Data by name; those of classes and of numbers are standardised where nothing else is said."""
    if name == "digits":
        found = datasets.load_digits()
        return _made(found.data / 16, found.target, standard=False)
    if name == "pixels":
        found = datasets.load_digits()
        return _made((found.data / 16).reshape(-1, 1, 8, 8), found.target, standard=False)
    if name == "raw pixels":
        found = datasets.load_digits()
        return _made(found.data * 16, found.target, standard=False)
    if name in ("cancer", "raw cancer"):
        found = datasets.load_breast_cancer()
        return _made(found.data, found.target, standard=name == "cancer")
    if name in ("wine", "raw wine"):
        found = datasets.load_wine()
        return _made(found.data, found.target, standard=name == "wine")
    if name == "moons":
        return _made(*datasets.make_moons(1200, noise=0.15, random_state=0))
    if name == "circles":
        return _made(*datasets.make_circles(1200, noise=0.08, factor=0.5, random_state=0))
    if name == "blobs":
        return _made(*datasets.make_blobs(1200, centers=6, n_features=8, cluster_std=1.5, random_state=0))
    if name == "friedman":
        return _made(*datasets.make_friedman1(1200, noise=0.5, random_state=0), numbers=True)
    if name == "diabetes":
        found = datasets.load_diabetes()
        return _made(found.data, found.target, numbers=True)
    if name == "waves":
        x = np.random.default_rng(1).uniform(-2, 2, (1200, 2))
        return _made(x, np.sin(2 * x[:, 0]) * x[:, 1], numbers=True)
    if name == "imbalanced":
        x = np.random.default_rng(2).normal(size=(2000, 6))
        return _made(x, x[:, 0] + 0.5 * x[:, 1] > 2.0)
    if name == "first token":
        x = np.random.default_rng(3).integers(0, 8, (1200, 10))
        return Data(torch.tensor(x), torch.tensor(x[:, 0] % 4, dtype=torch.int64))
    if name == "most ones":
        x = np.random.default_rng(4).integers(0, 2, (1200, 9))
        return Data(torch.tensor(x), torch.tensor(x.sum(axis=1) > 4, dtype=torch.int64))
    if name == "counting":
        start = np.random.default_rng(5).integers(0, 16, (1200, 1))
        x = (start + np.arange(12) * (1 + start % 3)) % 16
        return Data(torch.tensor(x[:, :-1]), torch.tensor(x[:, 1:]))
    raise ValueError(name)


def score(model: nn.Module, data: Data) -> float:
    """Balanced accuracy or R² on data, in evaluation; 0 of what is no number."""
    was = model.training
    model.eval()
    with torch.no_grad():
        out = model(data.x).float()
    model.train(was)
    if not torch.isfinite(out).all():
        return 0.0
    if data.y.is_floating_point():
        out = out.reshape(data.y.shape)
        return float(1 - (out - data.y).square().sum() / (data.y - data.y.mean(dim=0)).square().sum())
    if data.y.dim() == 2:
        return float((out.argmax(dim=-1) == data.y).float().mean())
    named = (out.reshape(-1) > 0).long() if out.shape[-1] == 1 else out.argmax(dim=1)
    return float(np.mean([float((named[data.y == k] == k).float().mean()) for k in data.y.unique()]))


def cross_entropy(out: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(out, y) if y.dim() == 1 else F.cross_entropy(out.flatten(0, 1), y.flatten())


def binary(out: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return F.binary_cross_entropy_with_logits(out[:, 0], y.float())


def batches(data: Data, steps: int, size: int, seed: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Batches, epoch by epoch, each in another order."""
    generator, done = torch.Generator().manual_seed(seed), 0
    while True:
        order = torch.randperm(len(data.x), generator=generator)
        for start in range(0, len(order) - size + 1, size):
            if done == steps:
                return
            own = order[start : start + size]
            yield data.x[own], data.y[own]
            done += 1


@dataclass(frozen=True)
class Loop:
    """An ordinary loop: calling it with a model and a seed trains and gives the score on validation data."""

    data: str
    steps: int = 250
    batch: int = 32
    rate: float = 1e-3
    optimiser: str = "Adam"
    settings: dict[str, Any] = field(default_factory=dict)
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] = cross_entropy
    change: Callable[[Data, int], Data] = lambda data, _: data
    parameters: Callable[[nn.Module], Any] = lambda model: model.parameters()
    schedule: Callable[[torch.optim.Optimizer], Any] | None = None
    clip: float | None = None
    accumulate: int = 1
    zero: bool = True
    evaluating: bool = False
    half: Any = None

    def but(self, **settings: Any) -> Loop:
        """The same with other settings."""
        return replace(self, **settings)

    def __call__(self, model: nn.Module, seed: int) -> float:
        whole = data_of(self.data)
        train, valid = self.change(whole.part(True), seed), whole.part(False)
        valid = valid if self.change is Loop.change else self._as_trained(valid, seed)
        optimiser = getattr(torch.optim, self.optimiser)(self.parameters(model), lr=self.rate, **self.settings)
        schedule = self.schedule(optimiser) if self.schedule else None
        model.train(not self.evaluating)
        for step, (x, y) in enumerate(batches(train, self.steps, self.batch, seed)):
            with torch.autocast("cpu", self.half) if self.half else nullcontext():
                loss = self.loss(model(x), y) / self.accumulate
            loss.backward()
            if (step + 1) % self.accumulate:
                continue
            if self.clip:
                nn.utils.clip_grad_norm_(model.parameters(), self.clip)
            optimiser.step()
            if schedule:
                schedule.step()
            if self.zero:
                optimiser.zero_grad()
            if step % 100 == 99:
                score(model, valid)
        return score(model, valid)

    def _as_trained(self, valid: Data, seed: int) -> Data:
        """What is done to inputs is done to those of validation, too, and numbers that are targets; classes stay."""
        changed = self.change(valid, seed)
        return Data(changed.x, changed.y if valid.y.is_floating_point() else valid.y)


def mlp(
    sizes: tuple[int, ...], function: Callable[[], nn.Module] = nn.ReLU, *, end: nn.Module | None = None
) -> nn.Sequential:
    """Linear layers with a function between; "0", "2", … are layers and "1", "3", … functions."""
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(sizes):
        layers += [nn.Linear(before, after), function()]
    return nn.Sequential(*layers[:-1], *([end] if end else []))


def deep(inputs: int, width: int, outputs: int, layers: int, function: Callable[[], nn.Module]) -> nn.Sequential:
    return mlp((inputs, *[width] * layers, outputs), function)


def started(model: nn.Module, start: Callable[[nn.Module], None]) -> nn.Module:
    """A model whose layers were given other initial weights."""
    with torch.no_grad():
        for layer in model.modules():
            if isinstance(layer, (nn.Linear, nn.Conv2d)):
                start(layer)
    return model


def he(layer: Any) -> None:
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)


def scaled(factor: float) -> Callable[[Any], None]:
    def start(layer: Any) -> None:
        layer.weight.mul_(factor)

    return start


def cnn(function: Callable[[], nn.Module] = nn.ReLU, norm: bool = False, channels: int = 8) -> nn.Sequential:
    """Two convolutions over 8 × 8 pictures, and a layer for ten classes."""
    first = [nn.BatchNorm2d(channels)] if norm else []
    second = [nn.BatchNorm2d(2 * channels)] if norm else []
    return nn.Sequential(
        *(nn.Conv2d(1, channels, 3, padding=1), *first, function(), nn.MaxPool2d(2)),
        *(nn.Conv2d(channels, 2 * channels, 3, padding=1), *second, function(), nn.Flatten()),
        nn.Linear(2 * channels * 16, 10),
    )


class Recurrent(nn.Module):
    """Tokens through a recurrent layer to classes."""

    def __init__(self, kind: type[nn.Module], tokens: int, classes: int, width: int = 32, sparse: bool = False) -> None:
        super().__init__()
        self.embedding = nn.Embedding(tokens, width, sparse=sparse)
        self.recurrent = kind(width, width, batch_first=True)
        self.head = nn.Linear(width, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.recurrent(self.embedding(x))[0][:, -1])


class Block(nn.Module):
    """A block of a Transformer, written out; without norm and shortcuts where it is plain."""

    def __init__(self, width: int, *, plain: bool = False, scale: float = 1.0, function: Any = F.gelu) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.plain, self.scale, self.function = plain, scale, function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = x if self.plain else self.first(x)
        h = F.scaled_dot_product_attention(self.query(h), self.key(h), self.value(h))
        x = h if self.plain else x + self.scale * h
        h = self.down(self.function(self.up(x if self.plain else self.second(x))))
        return h if self.plain else x + self.scale * h


class Transformer(nn.Module):
    """Tokens through blocks to classes, of the whole or of each token."""

    def __init__(
        self, tokens: int, classes: int, blocks: int, width: int = 32, *, each: bool = False, **settings: Any
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(tokens, width)
        self.position = nn.Parameter(0.1 * torch.randn(16, width))
        self.blocks = nn.ModuleList(Block(width, **settings) for _ in range(blocks))
        self.head, self.each = nn.Linear(width, classes), each

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.embedding(x) + self.position[: x.shape[1]]
        for block in self.blocks:
            h = block(h)
        return self.head(h if self.each else h.mean(dim=1))


def fault(
    half: Half,
    kind: str,
    name: str,
    build: Build,
    loop: Loop,
    /,
    *,
    layers: str = "",
    twin: Build | None = None,
    **well: Any,
) -> Training:
    """A fault of the model where there is a twin's, of the loop where it is set `well` otherwise."""
    return Training(name, kind, half, build, loop, tuple(layers.split()), (twin or build, loop.but(**well)))
