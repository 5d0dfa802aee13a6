"""The half of the trainings that rules may be chosen on."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from benchmarks.trainings.changes import (
    Behind,
    as_it_is,
    biased,
    by_hand,
    column_times,
    detached,
    filled,
    one_hot_squared,
    one_missing,
    shuffled,
    some_wrong,
    targets_times,
    times,
)
from benchmarks.trainings.pieces import (
    Loop,
    Recurrent,
    Transformer,
    binary,
    cnn,
    cross_entropy,
    deep,
    fault,
    mlp,
    scaled,
    started,
)
from benchmarks.trainings.training import HEALTHY, Build, Training
from torch import nn

DIGITS = Loop("digits")
MOONS = Loop("moons", steps=300)


_fault = partial(fault, "tuning")


def faulty() -> Iterator[Training]:
    """The faults, one after another."""
    small = partial(mlp, (64, 48, 48, 10))
    yield _fault(
        "vanishing",
        "10 sigmoids in a row",
        partial(deep, 64, 32, 10, 10, nn.Sigmoid),
        DIGITS,
        twin=partial(deep, 64, 32, 10, 10, nn.ELU),
    )
    yield _fault(
        "vanishing",
        "a Transformer without norms and shortcuts",
        partial(Transformer, 8, 4, 8, plain=True),
        Loop("first token", rate=2e-3, steps=300),
        twin=partial(Transformer, 8, 4, 8),
    )
    yield _fault(
        "saturation",
        "tanh behind weights 40 times as large",
        lambda: started(small(nn.Tanh), scaled(40.0)),
        DIGITS.but(optimiser="SGD", rate=0.05),
        layers="1 3",
        twin=partial(small, nn.Tanh),
    )
    yield _fault(
        "dead units", "ReLU behind biases of -4", lambda: biased(small(), "2", -4.0), DIGITS, layers="2 3", twin=small
    )
    yield _fault(
        "dead units",
        "a leaky ReLU of slope 0 behind biases of -6",
        lambda: biased(mlp((2, 32, 32, 2), partial(nn.LeakyReLU, 0.0)), "0", -6.0),
        MOONS.but(rate=3e-3),
        layers="0 1",
        twin=lambda: biased(mlp((2, 32, 32, 2), partial(nn.LeakyReLU, 0.1)), "0", -6.0),
    )
    yield _fault("dead by rate", "SGD at 8 kills ReLU", small, DIGITS.but(optimiser="SGD", rate=8.0), rate=0.1)
    yield _fault(
        "exploding",
        "12 layers with weights 5 times as large",
        lambda: started(deep(64, 32, 10, 12, nn.ReLU), scaled(5.0)),
        DIGITS.but(optimiser="SGD", rate=0.01),
        twin=lambda: started(deep(64, 32, 10, 12, nn.ReLU), scaled(2.2)),
    )
    yield _fault("rate too small", "Adam at 1e-7", small, DIGITS.but(rate=1e-7), rate=1e-3)
    yield _fault(
        "rate too large",
        "tanh with SGD at 100",
        partial(small, nn.Tanh),
        DIGITS.but(optimiser="SGD", rate=100.0),
        rate=0.3,
    )
    yield _fault(
        "zero start", "all weights at 0", lambda: started(small(), filled(0.0)), DIGITS, layers="0 2 4", twin=small
    )
    yield _fault(
        "constant start",
        "all weights at 0.05",
        lambda: started(small(nn.Tanh), filled(0.05)),
        DIGITS,
        layers="0 2 4",
        twin=partial(small, nn.Tanh),
    )
    yield _fault(
        "unscaled inputs",
        "inputs as measured, up to 4,000",
        partial(mlp, (30, 32, 2), nn.Tanh),
        Loop("raw cancer", optimiser="SGD", rate=0.05),
        data="cancer",
    )
    yield _fault(
        "one huge feature",
        "one column times 3,000",
        partial(mlp, (8, 32, 6)),
        Loop("blobs", optimiser="SGD", rate=0.02, change=column_times(3000.0)),
        change=Loop.change,
    )
    yield _fault(
        "softmax twice",
        "a softmax at the end",
        lambda: mlp((64, 48, 10), end=nn.Softmax(dim=1)),
        DIGITS.but(optimiser="SGD", rate=0.05, steps=300),
        twin=partial(mlp, (64, 48, 10)),
    )
    yield _fault(
        "squared and saturated",
        "sigmoids at the end, saturated, with a squared error",
        lambda: biased(mlp((64, 48, 10), end=nn.Sigmoid()), "2", -12.0),
        DIGITS.but(optimiser="SGD", rate=0.1, loss=one_hot_squared),
        layers="3",
        twin=partial(mlp, (64, 48, 10)),
        loss=cross_entropy,
    )
    yield _fault(
        "no function",
        "four linear layers",
        lambda: nn.Sequential(nn.Linear(2, 32), nn.Linear(32, 32), nn.Linear(32, 2)),
        Loop("circles", steps=300, rate=3e-3),
        twin=partial(mlp, (2, 32, 32, 2)),
    )
    yield _fault(
        "ReLU before the loss",
        "a ReLU at the end, behind biases of -1",
        lambda: biased(mlp((64, 48, 10), end=nn.ReLU()), "2", -1.0),
        DIGITS,
        layers="3",
        twin=partial(mlp, (64, 48, 10)),
    )
    yield _fault(
        "labels shuffled", "digits with other digits' labels", small, DIGITS.but(change=shuffled), change=Loop.change
    )
    yield _fault(
        "class collapse",
        "one in forty, plain loss",
        partial(mlp, (6, 16, 2)),
        Loop("imbalanced", optimiser="SGD", rate=0.01),
        loss=lambda out, y: nn.functional.cross_entropy(out, y, weight=torch.tensor([1.0, 40.0])),
        rate=0.1,
    )
    yield _fault(
        "dropout",
        "dropout of 0.95",
        lambda: nn.Sequential(
            nn.Linear(64, 48),
            nn.ReLU(),
            nn.Dropout(0.95),
            nn.Linear(48, 48),
            nn.ReLU(),
            nn.Dropout(0.95),
            nn.Linear(48, 10),
        ),
        DIGITS,
        layers="2 5",
        twin=small,
    )
    yield _fault(
        "missing zero_grad",
        "SGD with momentum",
        small,
        DIGITS.but(optimiser="SGD", rate=0.05, settings={"momentum": 0.9}, zero=False),
        zero=True,
    )
    yield _fault(
        "frozen by mistake",
        "the head alone is given to the optimiser",
        partial(mlp, (2, 8, 8, 2)),
        MOONS.but(rate=1e-2, parameters=lambda model: model[4].parameters()),
        layers="0 2",
        parameters=Loop.parameters,
    )
    yield _fault(
        "detached",
        "detach() before the head",
        lambda: Behind(mlp((64, 6, 6)), nn.Sequential(nn.ReLU(), nn.Linear(6, 10)), detached),
        DIGITS,
        layers="trunk trunk.0 trunk.2",
        twin=lambda: Behind(mlp((64, 6, 6)), nn.Sequential(nn.ReLU(), nn.Linear(6, 10)), as_it_is),
    )
    yield _fault(
        "NaN in the data",
        "one value is missing",
        partial(mlp, (30, 32, 2)),
        Loop("cancer", change=one_missing),
        change=Loop.change,
    )
    yield _fault(
        "log of zero",
        "a cross-entropy by hand",
        lambda: started(small(), scaled(25.0)),
        DIGITS.but(loss=by_hand),
        loss=cross_entropy,
    )
    yield _fault(
        "clipped", "the norm clipped to 1e-4", small, DIGITS.but(optimiser="SGD", rate=0.1, clip=1e-4), clip=1.0
    )
    yield _fault(
        "weight decay",
        "SGD with a decay of 3",
        small,
        DIGITS.but(optimiser="SGD", rate=0.1, settings={"weight_decay": 3.0}),
        settings={},
    )
    yield _fault(
        "batch norm at batch 1",
        "pictures one by one",
        partial(cnn, norm=True),
        Loop("pixels", steps=400, batch=1, rate=0.02),
        layers="1 5",
        batch=32,
        steps=200,
        rate=3e-3,
    )
    yield _fault(
        "evaluation mode",
        "raw pixels, batch norm never in training",
        lambda: nn.Sequential(
            nn.Linear(64, 48),
            nn.BatchNorm1d(48),
            nn.ReLU(),
            nn.Linear(48, 48),
            nn.BatchNorm1d(48),
            nn.ReLU(),
            nn.Linear(48, 10),
        ),
        Loop("raw pixels", optimiser="SGD", rate=0.05, evaluating=True),
        layers="1 4",
        evaluating=False,
    )
    yield _fault(
        "underflow",
        "float16 without a scaler",
        small,
        DIGITS.but(half=torch.float16, loss=times(2e-6, cross_entropy), rate=3e-3),
        half=None,
    )
    yield _fault(
        "rate too large",
        "a binary loss with Adam at 3",
        partial(mlp, (30, 32, 32, 1)),
        Loop("cancer", rate=3.0, loss=binary),
        rate=3e-3,
    )


def healthy() -> Iterator[Training]:
    """Nothing is wrong with these."""
    from benchmarks.trainings import odd

    def well(name: str, build: Build, train: Any) -> Training:
        return Training(name, HEALTHY, "tuning", build, train)

    small = partial(mlp, (64, 48, 48, 10))
    warm_up = lambda optimiser: torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: min(1.0, (step + 1) / 120))  # noqa: E731
    cosine = lambda optimiser: torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 250)  # noqa: E731
    yield well("an ordinary network", small, DIGITS)
    yield well("ReLU, most of it zero", lambda: biased(biased(small(), "0", -0.3), "2", -0.1), DIGITS.but(rate=3e-3))
    yield well("ELU, mostly negative", lambda: biased(mlp((64, 48, 48, 10), nn.ELU), "0", -1.0), DIGITS)
    yield well("GELU, mostly negative", lambda: biased(mlp((2, 32, 32, 2), nn.GELU), "2", -1.0), MOONS.but(rate=3e-3))
    yield well(
        "batch norm, deep",
        lambda: nn.Sequential(
            nn.Linear(64, 32),
            *[k for _ in range(8) for k in (nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 32))],
            nn.ReLU(),
            nn.Linear(32, 10),
        ),
        DIGITS.but(rate=3e-3),
    )
    yield well("branches that begin at zero", partial(odd.shortcuts, 64, 32, 10, 4), DIGITS)
    yield well(
        "branches and head that begin at zero",
        partial(odd.shortcuts, 64, 32, 10, 3, zero_head=True),
        DIGITS.but(rate=3e-3),
    )
    yield well("a warm-up of 120 steps", small, DIGITS.but(schedule=warm_up, steps=400))
    yield well(
        "a cosine down to zero",
        small,
        DIGITS.but(optimiser="SGD", rate=0.2, schedule=cosine, settings={"momentum": 0.9}),
    )
    yield well("a frozen trunk", odd.pretrained, odd.transferred)
    yield well(
        "an embedding with sparse gradients",
        partial(_recurrent, True),
        Loop("first token", optimiser="SGD", rate=0.5, steps=500),
    )
    yield well(
        "a loss of millions",
        partial(mlp, (10, 48, 1)),
        Loop("friedman", steps=500, rate=0.5, loss=nn.functional.mse_loss, change=targets_times(1000.0)),
    )
    yield well("batches of four", small, DIGITS.but(batch=4, steps=500))
    yield well("GRU", _recurrent, Loop("first token", rate=5e-3, steps=400))
    yield well(
        "dropout of a half",
        lambda: nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Dropout(0.5), nn.Linear(96, 10)),
        DIGITS.but(steps=400),
    )
    yield well("functions that are no modules", partial(odd.Functional, 64, 10, torch.relu, torch.tanh), DIGITS)
    yield well("functions in place", lambda: mlp((64, 48, 48, 10), partial(nn.ReLU, inplace=True)), DIGITS)
    yield well("a third of the labels wrong", small, DIGITS.but(change=some_wrong(0.3), steps=400))
    yield well(
        "a linear bottleneck", partial(odd.Bottleneck, 64, 6), odd.reconstruct(nn.functional.mse_loss, 600, 3e-3)
    )
    yield well(
        "sums over parts of a batch, bfloat16, clipped",
        small,
        DIGITS.but(batch=8, accumulate=4, half=torch.bfloat16, clip=1.0, optimiser="AdamW", rate=3e-3, steps=800),
    )
    yield well(
        "a ReLU at the end, targets above zero",
        lambda: mlp((10, 48, 1), end=nn.ReLU()),
        Loop("friedman", steps=500, rate=3e-3, loss=nn.functional.mse_loss, change=targets_times(1.0)),
    )
    yield well("not far yet", partial(deep, 64, 32, 10, 4, nn.Tanh), DIGITS.but(rate=3e-4, steps=120))
    yield well("a critic", partial(mlp, (2, 48, 1), partial(nn.LeakyReLU, 0.2)), odd.adversarial("critic", 300, 1e-3))
    yield well("a variational autoencoder, summed", partial(odd.Variational, 4), odd.variational("sum", 400))
    yield well("two backward passes a step", small, odd.sharpness_aware)
    yield well("two tasks", odd.TwoTasks, odd.two_tasks)
    yield well("a residual network of convolutions", partial(odd.residual_cnn, 8, 3), Loop("pixels", rate=3e-3))
    yield well("a Transformer", partial(Transformer, 8, 4, 2), Loop("first token", rate=2e-3, steps=400))
    yield well("a language model", partial(odd.Causal, 48), odd.language_model(300, 3e-3))
    yield well("a head that is its embedding", partial(odd.Tied, 32, 2), odd.language_model(300, 3e-3))


def _recurrent(sparse: bool = False) -> nn.Module:
    return Recurrent(nn.GRU, 8, 4, sparse=sparse)


TUNING: tuple[Training, ...] = (*faulty(), *healthy())
