"""Faults of every kind, written without a look at the rules, in loops of other styles."""

from __future__ import annotations

import itertools
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from benchmarks.trainings.blind_models import Factors, Forecast, Head, Net, Plain, Signal, init_all, normalised, pooled
from benchmarks.trainings.blind_pieces import (
    adam,
    adamw,
    half_precision,
    loader,
    logit,
    sgd,
    slices,
    whole_batch,
)
from benchmarks.trainings.pieces import Data
from benchmarks.trainings.training import Build, Train, Training
from torch import nn

ce, mse = nn.CrossEntropyLoss(), nn.MSELoss()


def _fault(kind: str, name: str, build: Build, train: Train, /, layers: str = "", **twin: Any) -> Training:
    right = twin.get("build", build), twin.get("train", train)
    return Training(name, kind, "blind", build, train, tuple(layers.split()), right)


def with_bias(model: Any, name: str, value: float) -> Any:
    nn.init.constant_(model.get_submodule(name).bias, value)
    return model


def stack(sizes: tuple[int, ...], function: Any, end: Any = None) -> nn.Sequential:
    """Layers with names, as add_module gives them."""
    model = nn.Sequential()
    for k, (a, b) in enumerate(itertools.pairwise(sizes)):
        model.add_module(f"layer{k}", nn.Linear(a, b))
        if k < len(sizes) - 2:
            model.add_module(f"act{k}", function())
    if end is not None:
        model.add_module("end", end)
    return model


def mixed_up(data: Data) -> Data:
    """Inputs were put into another order, and targets were not."""
    return Data(data.x[torch.randperm(len(data.x), generator=torch.Generator().manual_seed(4))], data.y)


def log_of_zero(data: Data) -> Data:
    """A logarithm of counts, some of which are 0."""
    x = data.x.clone()
    x[:, 2] = torch.log(torch.clamp(torch.round(2 * x[:, 2] + 3), min=0))
    return Data(x, data.y)


def holes(data: Data) -> Data:
    """Targets that were not measured, as a table gives them."""
    x = data.x.clone()
    x[::50, :, 7] = float("nan")
    return Data(x, data.y)


def timestamp(data: Data) -> Data:
    """Seconds since 1970 beside the other columns."""
    x = data.x.clone()
    x[:, 1] = 1.7e6 + 1e5 * x[:, 1]
    return Data(x, data.y)


def nll_by_hand(out: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    p = out.exp() / out.exp().sum(dim=1, keepdim=True)
    return -torch.log(p[torch.arange(len(y)), y]).mean()


def one_hot_mse(out: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return ((out - F.one_hot(y, out.shape[1])) ** 2).mean()


class Threaded(nn.Sequential):
    """A body and a ReLU on its logits."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        return F.relu(super().forward(x))


def values_clipped(limit: float) -> Any:
    return lambda parameters: nn.utils.clip_grad_value_(parameters, limit)


def norm_clipped(limit: float) -> Any:
    return lambda parameters: nn.utils.clip_grad_norm_(parameters, max_norm=limit)


def replaced_head(model: Any) -> None:
    """A last layer for the classes at hand, put in when the optimiser is there already."""
    model.layer2 = nn.Linear(12, 5)


clusters = loader("clusters", sgd(0.05, momentum=0.9), ce)
signals = loader("signals", adam(2e-3), ce, epochs=10)
deep = (16, *[32] * 9, 5)
_STARTS: tuple[Training, ...] = (
    _fault(
        "vanishing",
        "eight sigmoid convolutions over signals",
        partial(Signal, nn.Sigmoid, 8, stride=1),
        signals,
        "features.conv0 features.act0 features.conv1 features.act1 features.conv2 features.act2 features.conv3 "
        "features.act3 features.conv4 features.act4 features.conv5 features.act5 features.conv6 features.act6 "
        "features.act7 features.conv7 classifier",
        build=partial(Signal, nn.ReLU, 4, stride=1),
    ),
    _fault(
        "vanishing",
        "attention without shortcuts, twelve times",
        partial(Plain, 12, False),
        slices("majority", adam(1e-3), ce, steps=200, size=32),
        build=partial(Plain, 2, True),
    ),
    _fault(
        "vanishing",
        "ten layers from normal weights of 0.01",
        lambda: init_all(stack(deep, nn.ReLU), partial(nn.init.normal_, std=0.01), 0.0),
        clusters,
        " ".join(f"layer{k} act{k}" for k in range(10)),
        build=lambda: init_all(stack(deep, nn.ReLU), nn.init.kaiming_normal_, 0.0),
    ),
    _fault(
        "saturation",
        "tanh behind standard normal weights times four",
        lambda: init_all(stack((3, 64, 64, 64, 1), nn.Tanh), partial(nn.init.normal_, std=4.0)),
        slices("roll", sgd(1e-3, momentum=0.9), mse),
        "act0 act1 act2 layer0 layer1 layer2",
        build=partial(stack, (3, 64, 64, 64, 1), nn.Tanh),
        train=slices("roll", sgd(0.03, momentum=0.9), mse),
    ),
    _fault(
        "saturation",
        "hard tanh far out",
        lambda: init_all(stack((16, 40, 40, 5), nn.Hardtanh), partial(nn.init.uniform_, a=-20, b=20)),
        loader("clusters", adam(1e-3), ce, epochs=5),
        "act0 act1 layer0 layer1",
        build=partial(stack, (16, 40, 40, 5), nn.Hardtanh),
    ),
    _fault(
        "dead units",
        "functional ReLU with biases of -30",
        lambda: with_bias(Net(16, 5), "fc2", -30.0),
        clusters,
        "fc2 fc1 function",
        build=partial(Net, 16, 5),
    ),
    _fault(
        "dead units",
        "leaky ReLU with a slope of 0, convolutions",
        lambda: with_bias(Signal(partial(nn.LeakyReLU, 0.0)), "features.conv1", -9.0),
        signals,
        "features.conv1 features.act1",
        build=lambda: with_bias(Signal(partial(nn.LeakyReLU, 0.2)), "features.conv1", -1.0),
    ),
    _fault(
        "exploding",
        "eight layers of standard normal weights",
        lambda: init_all(stack((3, *[64] * 7, 1), nn.ReLU), nn.init.normal_),
        whole_batch("roll", adam(1e-3), mse),
        build=lambda: init_all(stack((3, *[64] * 7, 1), nn.ReLU), nn.init.kaiming_normal_),
    ),
    _fault(
        "zero start",
        "zeros everywhere, sigmoid linear units",
        lambda: init_all(Net(16, 5, function=F.silu), nn.init.zeros_),
        clusters,
        "fc1 fc2 out",
        build=partial(Net, 16, 5, function=F.silu),
    ),
    _fault(
        "constant start",
        "all weights 0.05",
        lambda: init_all(stack((16, 30, 30, 5), nn.Softplus), partial(nn.init.constant_, val=0.05), 0.0),
        loader("clusters", adam(3e-3), ce, epochs=6),
        "layer0 layer1 layer2",
        build=partial(stack, (16, 30, 30, 5), nn.Softplus),
    ),
)


net, forecast = partial(Net, 16, 5), partial(Forecast, nn.GRU)
drop = lambda opt: torch.optim.lr_scheduler.StepLR(opt, 2, gamma=0.1)  # noqa: E731
_RATES: tuple[Training, ...] = (
    _fault(
        "dead by rate",
        "momentum at a rate of 8 kills functional ReLU",
        net,
        loader("clusters", sgd(8.0, momentum=0.9), ce),
        train=loader("clusters", sgd(0.05, momentum=0.9), ce),
    ),
    _fault(
        "rate too small",
        "AdamW at 1e-7 on signals",
        partial(Signal, nn.GELU),
        loader("signals", adamw(1e-7), ce),
        train=loader("signals", adamw(1e-3), ce),
    ),
    _fault(
        "rate too small",
        "a schedule by epochs, moved at each step",
        forecast,
        slices("series", adam(3e-3), mse, steps=300, scheduler=drop),
        train=slices("series", adam(3e-3), mse, steps=300),
    ),
    _fault(
        "rate too large",
        "Adam at 10, a tabular net of tanh",
        partial(stack, (16, 40, 40, 5), nn.Tanh),
        loader("clusters", adam(10.0), ce),
        train=loader("clusters", adam(3e-3), ce),
    ),
    _fault(
        "rate too large",
        "RMSprop at 3 for a GRU",
        forecast,
        slices("series", lambda p: torch.optim.RMSprop(p, lr=3.0), mse, steps=200),
        train=slices("series", lambda p: torch.optim.RMSprop(p, lr=3e-3), mse, steps=200),
    ),
    _fault(
        "clipped",
        "values clipped at 1e-6",
        partial(stack, (16, 40, 5), nn.ELU),
        loader("clusters", sgd(0.1), ce, clip=values_clipped(1e-6)),
        train=loader("clusters", sgd(0.1), ce, clip=values_clipped(1.0)),
    ),
    _fault(
        "clipped",
        "norm clipped at 1e-4, recurrent",
        forecast,
        loader("series", sgd(0.1, momentum=0.9), mse, clip=norm_clipped(1e-4)),
        train=loader("series", sgd(0.1, momentum=0.9), mse, clip=norm_clipped(1.0)),
    ),
    _fault(
        "weight decay",
        "a penalty of 1 in SGD",
        partial(stack, (3, 50, 50, 1), nn.GELU),
        slices("roll", sgd(0.1, momentum=0.5, weight_decay=1.0), mse),
        train=slices("roll", sgd(0.1, momentum=0.5, weight_decay=1e-5), mse),
    ),
    _fault(
        "weight decay",
        "AdamW's decay of 100 on signals",
        partial(Signal, nn.ReLU),
        loader("signals", adamw(2e-3, weight_decay=100.0), ce),
        train=loader("signals", adamw(2e-3), ce),
    ),
    _fault(
        "underflow",
        "float16 without a scaler, a loss of small weight",
        partial(stack, (4, 48, 48, 1), nn.SiLU),
        half_precision("circuit", 2e-3, 2e-8, scale=False),
        train=half_precision("circuit", 2e-3, 1.0, scale=False),
    ),
)


circuit, raw = loader("circuit", sgd(0.02), mse), loader("raw circuit", sgd(0.02), mse)
balanced = lambda out, y: F.cross_entropy(out, y, weight=torch.tensor([1.0, 12.0]))  # noqa: E731
_DATA_AND_LABELS: tuple[Training, ...] = (
    _fault(
        "unscaled inputs",
        "ohms, henries and farads as they are",
        partial(stack, (4, 40, 40, 1), nn.Tanh),
        raw,
        train=circuit,
    ),
    _fault(
        "one huge feature",
        "a time stamp beside fifteen columns",
        partial(stack, (16, 40, 5), nn.LeakyReLU),
        slices("clusters", sgd(0.05), ce, change_both=timestamp),
        train=slices("clusters", sgd(0.05), ce),
    ),
    _fault(
        "labels shuffled",
        "inputs sorted, labels not",
        partial(Net, 16, 5, function=torch.tanh),
        loader("clusters", adam(2e-3), ce, change=mixed_up),
        train=loader("clusters", adam(2e-3), ce),
    ),
    _fault(
        "labels shuffled",
        "another series' next value",
        partial(Forecast, nn.LSTM),
        slices("series", adam(5e-3), mse, change=mixed_up),
        train=slices("series", adam(5e-3), mse),
    ),
    _fault(
        "class collapse",
        "one in fourteen, two logits",
        partial(stack, (8, 24, 2), nn.ReLU),
        loader("rare", adam(1e-3), ce, epochs=5),
        train=loader("rare", adam(1e-2), balanced, epochs=8),
    ),
    _fault(
        "NaN in the data",
        "logarithms of counts that are 0",
        partial(stack, (16, 30, 5), nn.Mish),
        loader("clusters", adam(1e-3), ce, change=log_of_zero),
        train=loader("clusters", adam(1e-3), ce),
    ),
    _fault(
        "NaN in the data",
        "holes in signals",
        partial(Signal, nn.ELU),
        slices("signals", sgd(0.05), ce, change=holes),
        train=slices("signals", sgd(0.05), ce),
    ),
)


soft = partial(F.softmax, dim=-1)
linear = lambda x: x  # noqa: E731
roots = lambda out, y: (torch.log(out + 0.2) - torch.log(y + 4.0)).square().mean()  # noqa: E731
_LOSSES: tuple[Training, ...] = (
    _fault(
        "softmax twice",
        "a softmax module at the end, all samples at once",
        partial(stack, (4, 16, 3), nn.Tanh, nn.Softmax(dim=1)),
        whole_batch("iris", sgd(0.05), ce, 60),
        build=partial(stack, (4, 16, 3), nn.Tanh),
    ),
    _fault(
        "softmax twice",
        "a softmax in forward, SGD",
        partial(Net, 16, 5, end=soft),
        loader("clusters", sgd(0.01), ce, epochs=6),
        build=partial(Net, 16, 5),
    ),
    _fault(
        "squared and saturated",
        "sigmoids of large weights, one-hot squared",
        lambda: init_all(stack((4, 16, 3), nn.Tanh, nn.Sigmoid()), partial(nn.init.normal_, std=1.0), 9.0),
        whole_batch("iris", sgd(0.5), one_hot_mse),
        "end layer1",
        build=partial(stack, (4, 16, 3), nn.Tanh),
        train=whole_batch("iris", sgd(0.5), ce),
    ),
    _fault(
        "no function",
        "linear layers and dropout for a roll",
        lambda: nn.Sequential(nn.Linear(3, 60), nn.Dropout(0.1), nn.Linear(60, 60), nn.Linear(60, 1)),
        slices("roll", adam(3e-3), mse),
        build=lambda: nn.Sequential(nn.Linear(3, 60), nn.ReLU(), nn.Linear(60, 60), nn.ReLU(), nn.Linear(60, 1)),
    ),
    _fault(
        "no function",
        "forward forgets its functions",
        partial(Net, 8, 1, function=linear),
        loader("rare", adam(1e-2), logit, epochs=8),
        build=partial(Net, 8, 1),
    ),
    _fault(
        "ReLU before the loss",
        "rectified logits",
        lambda: with_bias(Threaded(*stack((16, 40, 5), nn.ReLU)), "2", -4.0),
        loader("clusters", sgd(0.05), ce, epochs=8),
        build=lambda: stack((16, 40, 5), nn.ReLU),
    ),
    _fault(
        "log of zero",
        "a softmax by hand",
        lambda: init_all(stack((16, 40, 5), nn.ReLU), partial(nn.init.normal_, std=2.0)),
        loader("clusters", adam(1e-2), nll_by_hand),
        train=loader("clusters", adam(1e-2), ce),
    ),
    _fault(
        "log of zero",
        "a logarithmic error of what may be negative",
        partial(Forecast, nn.RNN),
        loader("series", adam(2e-3), roots, epochs=6),
        train=loader("series", adam(2e-3), mse, epochs=6),
    ),
)


slower = loader("clusters", sgd(0.05), ce)
half = partial(stack, (16, 40, 40, 5), nn.ReLU)
narrow = partial(stack, (16, 12, 12, 5), nn.Tanh)
_LOOPS: tuple[Training, ...] = (
    _fault(
        "dropout",
        "0.95 was meant as what is kept",
        lambda: nn.Sequential(
            nn.Linear(16, 24),
            nn.ReLU(),
            nn.Dropout(0.95),
            nn.Linear(24, 24),
            nn.ReLU(),
            nn.Dropout(0.95),
            nn.Linear(24, 5),
        ),
        slower,
        "2 5",
        build=lambda: nn.Sequential(
            nn.Linear(16, 24), nn.ReLU(), nn.Dropout(0.05), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 5)
        ),
    ),
    _fault(
        "missing zero_grad",
        "SGD over a DataLoader",
        half,
        loader("clusters", sgd(0.1), ce, zero=False),
        train=loader("clusters", sgd(0.1), ce),
    ),
    _fault(
        "missing zero_grad",
        "a recurrent net",
        partial(Forecast, nn.RNN),
        loader("series", sgd(0.05, momentum=0.9), mse, zero=False, epochs=8),
        train=loader("series", sgd(0.05), mse, epochs=8),
    ),
    _fault(
        "frozen by mistake",
        "the optimiser has the head alone",
        partial(stack, (3, 5, 5, 1), nn.Tanh),
        slices("roll", adam(5e-3), mse, parameters=lambda model: model.layer2.parameters()),
        "layer0 layer1",
        train=slices("roll", adam(5e-3), mse),
    ),
    _fault(
        "frozen by mistake",
        "the last layer replaced behind the optimiser's back",
        narrow,
        slices("clusters", sgd(0.003), ce, after=replaced_head),
        "layer2",
        train=slices("clusters", sgd(0.1), ce),
    ),
    _fault(
        "detached",
        "a backbone under no_grad",
        lambda: Head(stack((3, 5, 5), nn.ELU), nn.Linear(5, 1), "no_grad"),
        slices("roll", adam(5e-3), mse),
        "backbone backbone.layer0 backbone.layer1",
        build=lambda: Head(stack((3, 24, 5), nn.ELU), nn.Linear(5, 1)),
    ),
    _fault(
        "detached",
        "what goes on is .data",
        lambda: Head(Signal(nn.SiLU), nn.Linear(3, 3), "data"),
        loader("signals", adam(3e-3), ce, epochs=8),
        "backbone backbone.features.conv0 backbone.features.conv1 backbone.classifier",
        build=lambda: Head(Signal(nn.SiLU), nn.Linear(3, 3)),
    ),
    _fault(
        "batch norm at batch 1",
        "two values of each channel",
        pooled,
        loader("signals", sgd(0.02), ce, epochs=1, batch_size=1),
        "3",
        train=loader("signals", sgd(0.1), ce, epochs=12, batch_size=16),
    ),
    _fault(
        "evaluation mode",
        "looked at before training, and never back",
        normalised,
        loader("raw circuit", sgd(0.02), mse, back_to_train=False),
        "0 2 5",
        train=loader("raw circuit", sgd(0.02), mse),
    ),
    _fault(
        "frozen by mistake",
        "one of two tables of factors",
        Factors,
        slices("ratings", adam(3e-2), mse, parameters=lambda model: model.user.parameters()),
        "item",
        train=slices("ratings", adam(3e-2), mse),
    ),
)


BLIND_FAULTY: tuple[Training, ...] = (*_STARTS, *_RATES, *_DATA_AND_LABELS, *_LOSSES, *_LOOPS)
