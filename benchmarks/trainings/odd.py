"""Healthy models and loops that look odd to a rule that is too simple."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from benchmarks.trainings.pieces import Block, batches, data_of, mlp, score
from torch import nn
from torch.utils.checkpoint import checkpoint


class Shortcut(nn.Module):
    """A residual block whose branch begins at nothing."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        nn.init.zeros_(self.down.weight)
        nn.init.zeros_(self.down.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.down(F.gelu(self.up(self.norm(x))))


def shortcuts(inputs: int, width: int, outputs: int, blocks: int, *, zero_head: bool = False) -> nn.Sequential:
    head = nn.Linear(width, outputs)
    if zero_head:
        nn.init.zeros_(head.weight)
    return nn.Sequential(nn.Linear(inputs, width), *[Shortcut(width) for _ in range(blocks)], nn.LayerNorm(width), head)


class ConvBlock(nn.Module):
    """Two convolutions around a shortcut, functions in place; the last scale begins at 0."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.one, self.two = (nn.Conv2d(channels, channels, 3, padding=1, bias=False) for _ in range(2))
        self.first, self.second, self.function = (
            nn.BatchNorm2d(channels),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
        )
        nn.init.zeros_(self.second.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(self.second(self.two(self.function(self.first(self.one(x))))) + x)


def residual_cnn(channels: int, blocks: int) -> nn.Sequential:
    return nn.Sequential(
        *(nn.Conv2d(1, channels, 3, padding=1), nn.ReLU(inplace=True), *[ConvBlock(channels) for _ in range(blocks)]),
        *(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * channels, 10)),
    )


class Functional(nn.Module):
    """Functions that are no modules, one of them shared by two places."""

    def __init__(self, inputs: int, outputs: int, first: Callable[..., Any], second: Callable[..., Any]) -> None:
        super().__init__()
        self.one, self.two, self.head = nn.Linear(inputs, 48), nn.Linear(48, 48), nn.Linear(48, outputs)
        self.first, self.second = first, second

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.second(self.two(self.first(self.one(x)))))


class Checkpointed(nn.Module):
    """Blocks that are computed again on the way back."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first, self.middle, self.head = mlp((inputs, 48)), mlp((48, 48, 48), nn.SiLU), nn.Linear(48, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(checkpoint(self.middle, F.silu(self.first(x)), use_reentrant=False))


class Bottleneck(nn.Module):
    """An autoencoder whose code is linear, between layers that are not."""

    def __init__(self, inputs: int, code: int, *, end: nn.Module | None = None) -> None:
        super().__init__()
        self.encode = nn.Sequential(nn.Linear(inputs, 48), nn.ReLU(), nn.Linear(48, code))
        self.decode = nn.Sequential(nn.Linear(code, 48), nn.ReLU(), nn.Linear(48, inputs), *([end] if end else []))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.decode(self.encode(x))


def share_explained(model: nn.Module, x: torch.Tensor) -> float:
    """R² of inputs given back."""
    with torch.no_grad():
        return float(1 - (model(x) - x).square().sum() / (x - x.mean(dim=0)).square().sum())


def reconstruct(loss: Callable[..., torch.Tensor], steps: int, rate: float) -> Callable[[nn.Module, int], float]:
    """A loop of an autoencoder."""

    def train(model: nn.Module, seed: int) -> float:
        data = data_of("digits")
        optimiser = torch.optim.Adam(model.parameters(), rate)
        for x, _ in batches(data.part(True), steps, 64, seed):
            optimiser.zero_grad()
            loss(model(x), x).backward()
            optimiser.step()
        return share_explained(model, data.part(False).x)

    return train


class Variational(nn.Module):
    """A variational autoencoder."""

    def __init__(self, code: int) -> None:
        super().__init__()
        self.encode, self.mean, self.spread = mlp((64, 64), end=nn.ReLU()), nn.Linear(64, code), nn.Linear(64, code)
        self.decode = mlp((code, 64, 64))

    def forward(self, x: torch.Tensor) -> Any:
        h = self.encode(x)
        mean, spread = self.mean(h), self.spread(h)
        code = mean + torch.randn_like(mean) * (spread / 2).exp() if self.training else mean
        return self.decode(code), mean, spread


def variational(reduction: str, steps: int) -> Callable[[nn.Module, int], float]:
    """The loop of a variational autoencoder, its error summed or meant over pixels."""

    def train(model: nn.Module, seed: int) -> float:
        data = data_of("digits")
        optimiser = torch.optim.Adam(model.parameters(), 2e-3)
        for x, _ in batches(data.part(True), steps, 64, seed):
            out, mean, spread = model(x)
            error = F.binary_cross_entropy_with_logits(out, x, reduction=reduction)
            divergence = -0.5 * (1 + spread - mean**2 - spread.exp()).sum(dim=1).mean()
            loss = error / len(x) + divergence if reduction == "sum" else error + divergence / 640
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        model.eval()
        with torch.no_grad():
            x = data.part(False).x
            out = model(x)[0].sigmoid()
        return float(1 - (out - x).square().sum() / (x - x.mean(dim=0)).square().sum())

    return train


def adversarial(watched: str, steps: int, rate: float) -> Callable[[nn.Module, int], float]:
    """Two networks against each other; the model is the generator or the critic."""

    def train(model: nn.Module, seed: int) -> float:
        generator = model if watched == "generator" else mlp((4, 48, 2))
        critic = model if watched == "critic" else mlp((2, 48, 1), lambda: nn.LeakyReLU(0.2))
        own = torch.optim.Adam(critic.parameters(), rate, betas=(0.5, 0.9))
        other = torch.optim.Adam(generator.parameters(), rate, betas=(0.5, 0.9))
        loss = nn.BCEWithLogitsLoss()
        for x, _ in batches(data_of("moons").part(True), steps, 64, seed):
            made = generator(torch.randn(len(x), 4))
            own.zero_grad()
            (loss(critic(x), torch.ones(len(x), 1)) + loss(critic(made.detach()), torch.zeros(len(x), 1))).backward()
            own.step()
            other.zero_grad()
            loss(critic(made), torch.ones(len(x), 1)).backward()
            other.step()
        with torch.no_grad():
            made = generator(torch.randn(500, 4))
        # That it spreads as the data do.
        return float(1 - (made.std(dim=0) - 1).abs().max())

    return train


def averaged(model: nn.Module, seed: int) -> float:
    """A copy follows with a moving average, and is what is validated."""
    data = data_of("wine")
    follower = copy.deepcopy(model).requires_grad_(False)
    optimiser = torch.optim.AdamW(model.parameters(), 3e-3)
    for x, y in batches(data.part(True), 300, 16, seed):
        optimiser.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimiser.step()
        with torch.no_grad():
            for a, b in zip(follower.parameters(), model.parameters(), strict=True):
                a.lerp_(b, 0.05)
    return score(follower, data.part(False))


def sharpness_aware(model: nn.Module, seed: int) -> float:
    """Two backward passes a step: the first only to find where to take the second."""
    data = data_of("digits")
    optimiser = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    for x, y in batches(data.part(True), 200, 64, seed):
        optimiser.zero_grad()
        F.cross_entropy(model(x), y).backward()
        with torch.no_grad():
            size = torch.stack([own.grad.norm() for own in model.parameters() if own.grad is not None]).norm()
            away = [0.05 * own.grad / size for own in model.parameters() if own.grad is not None]
            torch._foreach_add_(list(model.parameters()), away)
        optimiser.zero_grad()
        F.cross_entropy(model(x), y).backward()
        with torch.no_grad():
            torch._foreach_sub_(list(model.parameters()), away)
        optimiser.step()
    return score(model, data.part(False))


def quasi_newton(model: nn.Module, seed: int) -> float:
    """L-BFGS, which asks for the loss several times a step."""
    data = data_of("diabetes")
    part = data.part(True)
    optimiser = torch.optim.LBFGS(model.parameters(), lr=0.3, max_iter=4)

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        loss = F.mse_loss(model(part.x), part.y) + 1e-2 * sum(own.square().sum() for own in model.parameters())
        loss.backward()
        return loss

    for _ in range(20):
        optimiser.step(closure)  # pyright: ignore[reportArgumentType]
    return score(model, data.part(False))


class TwoTasks(nn.Module):
    """One trunk, a head of classes and a head of numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk, self.classes, self.number = mlp((64, 48, 48), end=nn.ReLU()), nn.Linear(48, 10), nn.Linear(48, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classes(self.trunk(x))


def two_tasks(model: Any, seed: int) -> float:
    data = data_of("digits")
    optimiser = torch.optim.Adam(model.parameters(), 1e-3)
    for x, y in batches(data.part(True), 300, 32, seed):
        h = model.trunk(x)
        ink = x.mean(dim=1, keepdim=True)
        optimiser.zero_grad()
        (F.cross_entropy(model.classes(h), y) + F.mse_loss(model.number(h), ink)).backward()
        optimiser.step()
    return score(model, data.part(False))


def policy(model: nn.Module, seed: int) -> float:
    """A policy gradient: the loss is no measure of what is learnt."""
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    state = torch.randn(64, 4, generator=generator)
    for _ in range(200):
        state = torch.randn(64, 4, generator=generator)
        drawn = torch.distributions.Categorical(logits=model(state))
        action = drawn.sample()
        reward = (action == (state[:, 0] > state[:, 1])).float()
        optimiser.zero_grad()
        (-(drawn.log_prob(action) * (reward - reward.mean())).mean()).backward()
        optimiser.step()
    with torch.no_grad():
        return float((model(state).argmax(dim=1) == (state[:, 0] > state[:, 1])).float().mean())


def contrastive(model: nn.Module, seed: int) -> float:
    """Two views of each sample find each other; scored by the nearest neighbour of the same class."""
    data = data_of("digits")
    optimiser = torch.optim.Adam(model.parameters(), 1e-3)
    for x, _ in batches(data.part(True), 250, 64, seed):
        one, two = (F.normalize(model(x + 0.2 * torch.randn_like(x))) for _ in range(2))
        optimiser.zero_grad()
        F.cross_entropy(one @ two.T / 0.1, torch.arange(len(x))).backward()
        optimiser.step()
    with torch.no_grad():
        train, valid = data.part(True), data.part(False)
        nearest = (F.normalize(model(valid.x)) @ F.normalize(model(train.x)).T).argmax(dim=1)
    return float((train.y[nearest] == valid.y).float().mean())


def language_model(steps: int, rate: float) -> Callable[[nn.Module, int], float]:
    """Each token is told from those before it."""

    def train(model: nn.Module, seed: int) -> float:
        data = data_of("counting")
        optimiser = torch.optim.AdamW(model.parameters(), rate)
        for x, y in batches(data.part(True), steps, 32, seed):
            optimiser.zero_grad(set_to_none=True)
            F.cross_entropy(model(x).transpose(1, 2), y).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
        return score(model, data.part(False))

    return train


class Causal(nn.Module):
    """Tokens to the next one of each, by a recurrent layer."""

    def __init__(self, width: int, kind: type[nn.Module] = nn.GRU) -> None:
        super().__init__()
        self.embedding, self.recurrent = nn.Embedding(16, width), kind(width, width, batch_first=True)
        self.head = nn.Linear(width, 16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.recurrent(self.embedding(x))[0])


class Tied(nn.Module):
    """A decoder whose head is its embedding."""

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(16, width)
        self.blocks, self.norm = nn.Sequential(*[Block(width) for _ in range(blocks)]), nn.LayerNorm(width)
        self.head = nn.Linear(width, 16, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # Each token sees itself and the mean of those before it.
        h = self.embedding(x)
        past = h.cumsum(dim=1) / torch.arange(1, x.shape[1] + 1)[:, None]
        return self.head(
            self.norm(self.blocks(torch.stack([h, past], dim=2).flatten(0, 1)).reshape(*h.shape[:2], 2, -1)[:, :, 0])
        )


def transferred(model: Any, seed: int) -> float:
    """A trunk that was trained before is frozen, a new head is learnt."""
    data = data_of("digits")
    optimiser = torch.optim.Adam([own for own in model.parameters() if own.requires_grad], 3e-3)
    for x, y in batches(data.part(True), 250, 32, seed):
        optimiser.zero_grad()
        F.cross_entropy(model(x), 9 - y).backward()
        optimiser.step()
    part = data.part(False)
    with torch.no_grad():
        named = model(part.x).argmax(dim=1)
    return float(np.mean([float((named[part.y == k] == 9 - k).float().mean()) for k in range(10)]))


def pretrained() -> nn.Sequential:
    """A trunk that has learnt digits, frozen, and a new head."""
    model = mlp((64, 48, 48, 10))
    data = data_of("digits").part(True)
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    for x, y in batches(data, 150, 64, 0):
        optimiser.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimiser.step()
    for own in model.parameters():
        own.requires_grad_(False)
    model[4] = nn.Linear(48, 10)
    return model
