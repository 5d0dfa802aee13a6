"""A faulty training and the same without the fault, for the pictures of findings: small, on the digits of scikit-learn.

Each gives what was seen at its steps; what is told of it is not looked at here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from actlab.watching.looks import Look
from actlab.watching.torch_watch import TorchWatch

STEPS, EVERY, BATCH = 200, 10, 64
Model = nn.Module
Data = tuple[torch.Tensor, torch.Tensor]


def digits() -> Data:
    """8 × 8 pictures of digits, standardised as a whole, and what they are."""
    from sklearn.datasets import load_digits

    found: Any = load_digits()
    x = torch.tensor(found.data, dtype=torch.float32)
    return (x - x.mean()) / x.std(), torch.tensor(found.target)


def mlp(function: Callable[[], Model] = nn.ReLU, depth: int = 2, width: int = 64, end: tuple[Model, ...] = (),
        outputs: int = 10, inputs: int = 64) -> nn.Sequential:  # fmt: skip
    """Layers of one width with a function after each."""
    layers: list[Model] = []
    for i in range(depth):
        layers += [nn.Linear(inputs if i == 0 else width, width), function()]
    return nn.Sequential(*layers, nn.Linear(width, outputs), *end)


@dataclass
class Training:
    """A training: what it is made of, as far as it is not the usual one."""

    model: Callable[[], Model] = mlp
    data: Callable[[], Data] = digits
    loss: Callable[..., torch.Tensor] = F.cross_entropy
    optimiser: Callable[[Model], torch.optim.Optimizer] = field(
        default=lambda model: torch.optim.Adam([own for own in model.parameters() if own.requires_grad], 3e-3)
    )
    before: Callable[[Model], Any] = lambda model: None
    forward: Callable[[Model, torch.Tensor], torch.Tensor] = lambda model, x: model(x)
    zero: bool = True
    batch: int = BATCH
    steps: int = STEPS

    def looks(self) -> list[Look]:
        """What is seen of it."""
        torch.manual_seed(0)
        model, (x, y) = self.model(), self.data()
        optimiser, order = self.optimiser(model), torch.Generator().manual_seed(1)
        with TorchWatch(model, every=EVERY) as watch:
            for _ in range(self.steps):
                rows = torch.randint(len(x), (self.batch,), generator=order)
                if self.zero:
                    optimiser.zero_grad()
                self.loss(self.forward(model, x[rows]), y[rows]).backward()
                self.before(model)
                optimiser.step()
        return watch.looks


def adam(rate: float, **settings: Any) -> Callable[[Model], torch.optim.Optimizer]:
    """Of all parameters that train."""
    return lambda model: torch.optim.Adam([own for own in model.parameters() if own.requires_grad], rate, **settings)


def sgd(rate: float, **settings: Any) -> Callable[[Model], torch.optim.Optimizer]:
    """Of all parameters."""
    return lambda model: torch.optim.SGD(model.parameters(), rate, **settings)


def changed(make: Callable[[], Model], change: Callable[[nn.Linear], Any]) -> Callable[[], Model]:
    """A model with its linear layers changed before the first step."""

    def made() -> Model:
        model = make()
        with torch.no_grad():
            for layer in model.modules():
                if isinstance(layer, nn.Linear):
                    change(layer)
        return model

    return made


def with_data(change: Callable[[torch.Tensor, torch.Tensor], Data]) -> Callable[[], Data]:
    """The digits, changed."""
    return lambda: change(*digits())


class Cut(nn.Module):
    """Three layers, of which the first is cut off."""

    def __init__(self, *, cut: bool) -> None:
        super().__init__()
        self.first, self.middle, self.last, self.cut = nn.Linear(64, 64), nn.Linear(64, 64), nn.Linear(64, 10), cut

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """With the hidden values detached, or not."""
        hidden = torch.relu(self.first(x))
        return self.last(torch.relu(self.middle(hidden.detach() if self.cut else hidden)))


class Heads(nn.Module):
    """A layer that is never called."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.spare = mlp(), nn.Linear(64, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """By the body alone."""
        return self.body(x)


class Still(nn.Module):
    """What is within is not passed on, by a slip: its mean over the batch is, with noise."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.rest = nn.Linear(64, 64), mlp(nn.GELU, depth=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """By the mean over samples."""
        hidden = F.gelu(self.first(x)).mean(dim=0, keepdim=True).expand(len(x), -1)
        return self.rest(hidden + torch.randn_like(hidden))


class InLoop(nn.Module):
    """Layers in a loop, with a function that is called and no module."""

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor], depth: int = 12) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(64 if i == 0 else 32, 32) for i in range(depth)])
        self.last, self.function = nn.Linear(32, 10), function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """One after the other."""
        for layer in self.layers:
            x = self.function(layer(x))
        return self.last(x)


def normalised() -> Model:
    """With batch normalisation, over each sample's places."""
    layers = nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1)
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(8, 10))


def with_dropout(rate: float) -> Callable[[], Model]:
    """A layer with dropout behind it."""
    return lambda: nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Dropout(rate), nn.Linear(64, 10))


def frozen(model: nn.Sequential) -> Model:
    """With hidden layers that say next to nothing, and stay."""
    for layer in list(model)[:-1]:
        for own in layer.parameters():
            own.requires_grad_(False)
            own.data.mul_(0.01)
    return model


def holed(x: torch.Tensor, y: torch.Tensor) -> Data:
    """With a number missing in some rows."""
    x = x.clone()
    x[::40, 3] = torch.nan
    return x, y


def huge(x: torch.Tensor, y: torch.Tensor) -> Data:
    """With one column in the ten thousands."""
    x = x.clone()
    x[:, 20] *= 1e4
    return x, y


def rare(x: torch.Tensor, y: torch.Tensor) -> Data:
    """Whether it is a three, with inputs that say nothing, and few threes."""
    keep = (y != 3) | (torch.arange(len(y)) % 3 == 0)
    return torch.randn(int(keep.sum()), 64, generator=torch.Generator().manual_seed(2)), (y[keep] == 3).long()


def of_unit(output: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """A squared loss, classes as 0 and 1."""
    return F.mse_loss(output, F.one_hot(y, 10).float())


def logarithm(output: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Cross-entropy by hand: a softmax and a logarithm, which in float32 meets zero."""
    return -torch.softmax(1e3 * output, 1)[torch.arange(len(y)), y].log().mean()


def in_half(model: Model, x: torch.Tensor) -> torch.Tensor:
    """Forward in float16."""
    with torch.autocast("cpu", dtype=torch.float16):
        return model(x).float()


def shuffled(x: torch.Tensor, y: torch.Tensor) -> Data:
    """Labels in another order than inputs."""
    return x, y[torch.randperm(len(y), generator=torch.Generator().manual_seed(3))]


def sizes(x: torch.Tensor, y: torch.Tensor) -> Data:
    """Numbers around 5 to be told: the digits themselves, as one number each."""
    return x, y[:, None].float()


def last_only(model: Any) -> torch.optim.Optimizer:
    """An optimiser of the last layer."""
    return torch.optim.Adam(model[-1].parameters(), 3e-3)


def in_groups(model: Any) -> torch.optim.Optimizer:
    """The first layer at a rate of zero."""
    first, rest = list(model[0].parameters()), list(model[1:].parameters())
    return torch.optim.Adam([{"params": first, "lr": 0.0}, {"params": rest}], 3e-3)


def clipping(norm: float) -> Callable[[Model], Any]:
    """Of the gradient."""
    return lambda model: nn.utils.clip_grad_norm_(model.parameters(), norm)


def tiny(output: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """A loss whose gradient is below what float16 holds."""
    return 1e-6 * F.cross_entropy(output, y)


USUAL = Training()
# By code: the faulty training, and the same without the fault.
RUNS: dict[str, tuple[Training, Training]] = {
    "input_not_finite": (Training(data=with_data(holed)), USUAL),
    "loss_not_finite": (Training(loss=logarithm), USUAL),
    "missing_zero_grad": (Training(zero=False), USUAL),
    "detached": (Training(lambda: Cut(cut=True)), Training(lambda: Cut(cut=False))),
    "not_in_optimiser": (Training(optimiser=last_only), USUAL),
    "rate_of_zero": (Training(optimiser=in_groups), USUAL),
    "frozen_layers": (Training(lambda: frozen(mlp())), USUAL),
    "evaluating": (Training(lambda: normalised().eval()), Training(normalised)),
    "single_sample": (Training(normalised, batch=1), Training(normalised)),
    "dropout_too_high": (Training(with_dropout(0.95)), Training(with_dropout(0.2))),
    "clipped": (Training(optimiser=sgd(0.1), before=clipping(1e-3)), Training(optimiser=sgd(0.1))),
    "underflow": (
        Training(optimiser=sgd(1e5), loss=tiny, forward=in_half), Training(optimiser=sgd(0.1), forward=in_half),
    ),
    "unused_layers": (Training(Heads), USUAL),
    "softmax_twice": (Training(lambda: mlp(end=(nn.Softmax(1),))), USUAL),
    "function_before_loss": (Training(lambda: mlp(end=(nn.ReLU(),))), USUAL),
    "no_log_probabilities": (Training(loss=F.nll_loss), USUAL),
    "targets_out_of_reach": (
        Training(lambda: mlp(outputs=1, end=(nn.Sigmoid(),)), with_data(sizes), F.mse_loss),
        Training(lambda: mlp(outputs=1), with_data(sizes), F.mse_loss),
    ),
    "loss_does_not_suit": (
        Training(changed(lambda: mlp(end=(nn.Sigmoid(),)), lambda own: own.weight.mul_(12)), loss=of_unit),
        Training(changed(mlp, lambda own: own.weight.mul_(1)), loss=F.cross_entropy),
    ),
    "no_function": (Training(lambda: mlp(nn.Identity)), USUAL),
    "units_alike": (Training(changed(mlp, lambda own: own.weight.fill_(0.05))), USUAL),
    "start_too_large": (
        Training(changed(lambda: mlp(depth=6), lambda own: own.weight.mul_(10)), optimiser=adam(1e-4)),
        Training(lambda: mlp(depth=6), optimiser=adam(1e-3)),
    ),
    "inputs_off_scale": (Training(data=with_data(huge)), USUAL),
    "class_imbalance": (
        Training(lambda: mlp(outputs=2), with_data(rare), optimiser=sgd(0.1), steps=401),
        Training(optimiser=sgd(0.1), steps=401),
    ),
    "rate_too_high": (Training(lambda: mlp(nn.Tanh), optimiser=adam(1.0)), Training(lambda: mlp(nn.Tanh))),
    "rate_too_low": (Training(optimiser=adam(1e-6)), USUAL),
    "decay_too_strong": (Training(optimiser=sgd(0.1, weight_decay=0.5)), Training(optimiser=sgd(0.1))),
    "dead_units": (Training(changed(mlp, lambda own: own.bias.sub_(30))), USUAL),
    "saturated": (
        Training(changed(lambda: mlp(nn.Tanh, 3), lambda own: own.weight.mul_(50)), optimiser=adam(1e-4)),
        Training(lambda: mlp(nn.Tanh, 3)),
    ),
    "vanishing_signal": (
        Training(lambda: mlp(nn.Sigmoid, 10)), Training(lambda: mlp(nn.ELU, 10), optimiser=adam(1e-3)),
    ),
    "vanishing_gradient": (
        Training(lambda: InLoop(torch.sigmoid), optimiser=adam(1e-3)),
        Training(lambda: InLoop(F.elu), optimiser=adam(1e-3)),
    ),
    "labels_unlearnable": (Training(data=with_data(shuffled), optimiser=adam(1e-3)), Training(optimiser=adam(1e-3))),
    "learns_nothing": (Training(Still, optimiser=adam(1e-2), steps=651), Training(optimiser=adam(1e-3), steps=651)),
}  # fmt: skip


def course(looks: list[Look]) -> tuple[np.ndarray, np.ndarray]:
    """Steps, and the loss as a multiple of what the best constant answer has; NaN where it is not known."""
    steps = np.array([look.step for look in looks], float)
    constant = looks[-1].constant.loss
    alone = [float(look.facts.get("loss_alone", look.loss)) for look in looks]  # pyright: ignore[reportArgumentType]
    losses = np.where(np.isfinite(alone), alone, [look.loss for look in looks])
    return steps, losses / constant if constant > 0 else losses
