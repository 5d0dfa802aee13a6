"""Data and loops of the trainings that were written without a look at the rules: each loop in another style."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from benchmarks.trainings.pieces import Data
from sklearn import datasets
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

Optimiser = Callable[[Iterable[Any]], torch.optim.Optimizer]
Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def _standard(x: np.ndarray) -> np.ndarray:
    return (x - x.mean(axis=0)) / (x.std(axis=0) + 1e-9)


def _data(x: np.ndarray, y: np.ndarray) -> Data:
    numbers = y.dtype.kind == "f"
    tokens = x.dtype.kind == "i"
    return Data(
        torch.tensor(x if tokens else x.astype(np.float32)),
        torch.tensor(y.astype(np.float32)[:, None] if numbers else y.astype(np.int64)),
    )


def _signals(rng: np.random.Generator) -> Data:
    """Sines, squares and sawtooths in noise, one channel of 32 values."""
    kind = rng.integers(0, 3, 1000)
    phase = (np.arange(32) / 16 + rng.uniform(0, 1, (1000, 1))) % 1
    waves = np.stack([np.sin(2 * np.pi * phase), np.where(phase < 0.5, 1.0, -1.0), 2 * phase - 1])
    return _data((waves[kind, np.arange(1000)] + 0.15 * rng.normal(size=(1000, 32)))[:, None], kind)


@cache
def blind_data(name: str) -> Data:
    """Data by name; three quarters are trained on."""
    rng = np.random.default_rng(17)
    if name == "signals":
        return _signals(rng)
    if name == "roll":
        x, t = datasets.make_swiss_roll(1000, noise=0.3, random_state=3)
        return _data(_standard(x), _standard(t))
    if name == "clusters":
        x, y = datasets.make_classification(
            1200, 16, n_informative=10, n_classes=5, n_clusters_per_class=1, class_sep=2.0, random_state=5
        )
        return _data(_standard(x), y)
    if name in ("circuit", "raw circuit", "raw output"):
        x, y = datasets.make_friedman2(1000, random_state=2)
        return _data(x if name == "raw circuit" else _standard(x), y if name == "raw output" else _standard(y))
    if name == "iris":
        x, y = datasets.load_iris(return_X_y=True)
        order = rng.permutation(len(x))
        return _data(_standard(x)[order], y[order])
    if name == "majority":
        x = rng.integers(0, 3, (1200, 11))
        return _data(x, np.stack([(x == k).sum(axis=1) for k in range(3)], axis=1).argmax(axis=1))
    if name == "series":
        start, speed = rng.uniform(0, 6, (900, 1)), rng.uniform(0.2, 0.7, (900, 1))
        waves = np.sin(start + speed * np.arange(21)) + 0.02 * rng.normal(size=(900, 21))
        return _data(waves[:, :-1, None], waves[:, -1])
    if name == "ratings":
        users, items = rng.normal(size=(40, 3)), rng.normal(size=(30, 3))
        x = np.stack([rng.integers(0, 40, 3000), rng.integers(0, 30, 3000)], axis=1)
        return _data(x, (users[x[:, 0]] * items[x[:, 1]]).sum(axis=1) + 0.1 * rng.normal(size=3000))
    if name == "rare":
        x = rng.normal(size=(3000, 8))
        return _data(x, (np.abs(x[:, 0]) + np.abs(x[:, 1]) > 3.3).astype(int))
    if name == "counts":
        x = rng.uniform(-1, 1, (1200, 5))
        return _data(x, rng.poisson(np.exp(1.0 + x[:, 0] - x[:, 1] * x[:, 2])).astype(np.float32))
    if name == "text":
        words = np.array(list("the cat sat on the mat and the dog ate the hat " * 40))
        letters = np.unique(words, return_inverse=True)[1]
        return _data(
            np.stack([letters[k : k + 16] for k in range(1200)]), np.array([letters[k + 16] for k in range(1200)])
        )
    raise ValueError(name)


def labels_of(out: torch.Tensor) -> torch.Tensor:
    return (out[:, 0] > 0).long() if out.shape[1] == 1 else out.argmax(dim=1)


def validate(model: nn.Module, data: Data, decide: Callable[[torch.Tensor], torch.Tensor] = labels_of) -> float:
    """Balanced accuracy or R² of what was held back."""
    was = model.training
    model.eval()
    with torch.no_grad():
        out, y = model(data.x).float(), data.y
    model.train(was)
    if not torch.isfinite(out).all():
        return 0.0
    if y.is_floating_point():
        return max(-1.0, 1 - float(((out - y) ** 2).mean() / y.var(unbiased=False)))
    found = decide(out)
    return float(np.mean([(found[y == k] == k).float().mean().item() for k in range(int(y.max()) + 1)]))


def no_change(data: Data) -> Data:
    return data


def loader(
    data: str,
    optimiser: Optimiser,
    criterion: Loss,
    *,
    epochs: int = 12,
    batch_size: int = 32,
    change: Callable[[Data], Data] = no_change,
    scheduler: Callable[[Any], Any] | None = None,
    zero: bool = True,
    back_to_train: bool = True,
    clip: Callable[[Any], Any] | None = None,
    decide: Callable[[torch.Tensor], torch.Tensor] = labels_of,
) -> Callable[[nn.Module, int], float]:
    """Epochs over a DataLoader, validated after each."""

    def train(model: nn.Module, seed: int) -> float:
        whole = blind_data(data)
        part, held_back = change(whole.part(True)), whole.part(False)
        batches = DataLoader(
            TensorDataset(part.x, part.y),
            batch_size=batch_size,
            shuffle=True,
            generator=torch.Generator().manual_seed(seed),
        )
        optim = optimiser(model.parameters())
        sched = scheduler(optim) if scheduler else None
        model.train()
        if not back_to_train:  # Looked at before it is trained, as it is before.
            validate(model.eval(), held_back, decide)
        for _ in range(epochs):
            if back_to_train:
                model.train()
            for x, y in batches:
                if zero:
                    optim.zero_grad()
                loss = criterion(model(x), y)
                loss.backward()
                if clip:
                    clip(model.parameters())
                optim.step()
            if sched:
                sched.step()
            model.eval()
            with torch.no_grad():
                criterion(model(held_back.x), held_back.y)
        return validate(model, held_back, decide)

    return train


def slices(
    data: str | Data,
    optimiser: Optimiser,
    loss_of: Loss,
    *,
    steps: int = 300,
    size: int = 50,
    change: Callable[[Data], Data] = no_change,
    change_both: Callable[[Data], Data] = no_change,
    parameters: Callable[[Any], Any] = lambda model: model.parameters(),
    scheduler: Callable[[Any], Any] | None = None,
    after: Callable[[Any], Any] | None = None,
    decide: Callable[[torch.Tensor], torch.Tensor] = labels_of,
) -> Callable[[nn.Module, int], float]:
    """Random samples step by step, plain arrays; the schedule moves with each step."""

    def train(model: nn.Module, seed: int) -> float:
        whole = change_both(blind_data(data) if isinstance(data, str) else data)
        part, held_back = change(whole.part(True)), whole.part(False)
        rng = np.random.default_rng(seed)
        opt = optimiser(parameters(model))
        if after:  # What a user does too late: the optimiser holds what was there before.
            after(model)
        lr = scheduler(opt) if scheduler else None
        for i in range(steps):
            own = torch.from_numpy(rng.choice(len(part.x), size, replace=False))
            loss = loss_of(model(part.x[own]), part.y[own])
            opt.zero_grad(set_to_none=True)
            loss.backward()
            opt.step()
            if lr is not None:
                lr.step()
            if i % 60 == 59:
                validate(model, held_back, decide)
        return validate(model, held_back, decide)

    return train


def whole_batch(data: str, optimiser: Optimiser, loss_of: Loss, steps: int = 200, **settings: Any) -> Any:
    """All samples at each step."""

    def train(model: nn.Module, _: int) -> float:
        part, held_back = blind_data(data).part(True), blind_data(data).part(False)
        part = settings.get("change", no_change)(part)
        optim = optimiser(model.parameters())
        for _ in range(steps):
            optim.zero_grad()
            loss_of(model(part.x), part.y).backward()
            optim.step()
        return validate(model, held_back, settings.get("decide", labels_of))

    return train


def half_precision(data: str, rate: float, weight: float, *, scale: bool, steps: int = 250) -> Any:
    """Autocast to float16, with a scaler of gradients or without; the loss is weighted."""

    def train(model: nn.Module, seed: int) -> float:
        part, held_back = blind_data(data).part(True), blind_data(data).part(False)
        generator = torch.Generator().manual_seed(seed)
        optim = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.0, eps=1e-16)
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**24, enabled=scale)
        for _ in range(steps):
            own = torch.randint(len(part.x), (40,), generator=generator)
            with torch.autocast("cpu", dtype=torch.float16):
                out = model(part.x[own])
                loss = weight * (
                    F.mse_loss(out.float(), part.y[own])
                    if part.y.dim() == 2
                    else F.cross_entropy(out.float(), part.y[own])
                )
            optim.zero_grad()
            scaler.scale(loss).backward()
            scaler.step(optim)
            scaler.update()
        return validate(model, held_back)

    return train


def accumulated(data: str, optimiser: Optimiser, criterion: Loss, parts: int, steps: int, *, clip: float) -> Any:
    """Gradients of several parts of a batch, in bfloat16, clipped."""

    def train(model: nn.Module, seed: int) -> float:
        part, held_back = blind_data(data).part(True), blind_data(data).part(False)
        rng = np.random.default_rng(seed)
        optim = optimiser(model.parameters())
        optim.zero_grad()
        for k in range(steps * parts):
            own = rng.integers(0, len(part.x), 16)
            with torch.autocast(device_type="cpu", dtype=torch.bfloat16):
                loss = criterion(model(part.x[own]).float(), part.y[own]) / parts
            loss.backward()
            if (k + 1) % parts == 0:
                nn.utils.clip_grad_norm_(model.parameters(), clip)
                optim.step()
                optim.zero_grad()
        return validate(model, held_back)

    return train


class Trainer:
    """A small trainer with patience, as many keep one in a file: the best weights come back."""

    def __init__(self, data: str, optimiser: Optimiser, criterion: Loss, epochs: int = 15, patience: int = 4) -> None:
        self.data, self.optimiser, self.criterion, self.epochs, self.patience = (
            data,
            optimiser,
            criterion,
            epochs,
            patience,
        )

    def __call__(self, model: nn.Module, seed: int) -> float:
        part, held_back = blind_data(self.data).part(True), blind_data(self.data).part(False)
        optim = self.optimiser(model.parameters())
        best, kept, waited = -np.inf, copy.deepcopy(model.state_dict()), 0
        order = np.random.default_rng(seed)
        for _ in range(self.epochs):
            self.epoch(model, optim, part, order.permutation(len(part.x)))
            now = validate(model, held_back)
            waited = 0 if now > best else waited + 1
            if now > best:
                best, kept = now, copy.deepcopy(model.state_dict())
            if waited >= self.patience:
                break
        model.load_state_dict(kept)
        return validate(model, held_back)

    def epoch(self, model: nn.Module, optim: torch.optim.Optimizer, part: Data, order: np.ndarray) -> None:
        """Once over the data."""
        model.train()
        for own in np.array_split(order, max(1, len(order) // 40)):
            loss = self.criterion(model(part.x[own]), part.y[own])
            optim.zero_grad()
            loss.backward()
            optim.step()


def adam(lr: float, **settings: Any) -> Optimiser:
    return lambda parameters: torch.optim.Adam(parameters, lr=lr, **settings)


def adamw(lr: float, **settings: Any) -> Optimiser:
    return lambda parameters: torch.optim.AdamW(parameters, lr=lr, **settings)


def sgd(lr: float, **settings: Any) -> Optimiser:
    return lambda parameters: torch.optim.SGD(parameters, lr=lr, **settings)


def logit(out: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return F.binary_cross_entropy_with_logits(out.squeeze(1), y.float())
