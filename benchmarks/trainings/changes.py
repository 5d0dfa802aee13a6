"""What goes wrong, or is done with reason, around a model: on its data, its loss, its loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from benchmarks.trainings.pieces import Data
from torch import nn


def shuffled(data: Data, seed: int) -> Data:
    """Labels that belong to other inputs."""
    return Data(data.x, data.y[torch.randperm(len(data.y), generator=torch.Generator().manual_seed(seed))])


def some_wrong(share: float) -> Callable[[Data, int], Data]:
    """A share of the labels drawn anew."""

    def change(data: Data, seed: int) -> Data:
        generator = torch.Generator().manual_seed(seed)
        wrong = torch.rand(len(data.y), generator=generator) < share
        drawn = data.y[torch.randperm(len(data.y), generator=generator)]
        return Data(data.x, torch.where(wrong, drawn, data.y))

    return change


def column_times(factor: float, column: int = 0) -> Callable[[Data, int], Data]:
    """One feature in another unit."""

    def change(data: Data, _: int) -> Data:
        x = data.x.clone()
        x[:, column] *= factor
        return Data(x, data.y)

    return change


def inputs_times(factor: float, shift: float = 0.0) -> Callable[[Data, int], Data]:
    """All inputs in another unit."""
    return lambda data, _: Data(factor * data.x + shift, data.y)


def one_missing(data: Data, _: int) -> Data:
    """A value that is not a number, in the training data alone."""
    if len(data.x) < 400:  # What is validated on stays as it is.
        return data
    x = data.x.clone()
    x[3, 0] = float("nan")
    return Data(x, data.y)


def targets_times(factor: float) -> Callable[[Data, int], Data]:
    """Targets in another unit, shifted above zero."""
    return lambda data, _: Data(data.x, factor * (data.y + 4.0))


def squared(out: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return F.mse_loss(out, y)


def one_hot_squared(out: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return F.mse_loss(out, F.one_hot(y, out.shape[1]).float())


def by_hand(out: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """A cross-entropy as it is often written, with the logarithm of what may be zero."""
    return -(F.one_hot(y, out.shape[1]) * torch.log(torch.softmax(out, dim=1))).sum(dim=1).mean()


def binary_by_hand(out: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    p = torch.sigmoid(out[:, 0])
    return -(y * p.log() + (1 - y) * (1 - p).log()).mean()


def times(factor: float, loss: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """A loss multiplied by a number."""
    return lambda out, y: factor * loss(out, y)


class Behind(nn.Module):
    """Two parts of a model, with something done to what passes between them."""

    def __init__(self, trunk: nn.Module, head: nn.Module, between: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.trunk, self.head, self.between = trunk, head, between

    def forward(self, x: Any) -> torch.Tensor:
        return self.head(self.between(self.trunk(x)))


def detached(x: torch.Tensor) -> torch.Tensor:
    return x.detach()


def through_numpy(x: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(x.detach().numpy().copy())


def as_it_is(x: torch.Tensor) -> torch.Tensor:
    return x


def biased(model: nn.Module, name: str, value: float) -> nn.Module:
    """A model with one layer's biases at a number."""
    with torch.no_grad():
        model.get_submodule(name).bias.fill_(value)  # pyright: ignore[reportAttributeAccessIssue, reportCallIssue]
    return model


def filled(value: float, *, bias: float = 0.0) -> Callable[[Any], None]:
    def start(layer: Any) -> None:
        layer.weight.fill_(value)
        layer.bias.fill_(bias)

    return start
