"""The half of the trainings that no rule was chosen on: other data, networks, functions, sizes and optimisers."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from benchmarks.trainings import odd
from benchmarks.trainings.changes import (
    Behind,
    as_it_is,
    biased,
    binary_by_hand,
    column_times,
    filled,
    inputs_times,
    one_missing,
    shuffled,
    some_wrong,
    squared,
    targets_times,
    through_numpy,
    times,
)
from benchmarks.trainings.pieces import (
    Loop,
    Recurrent,
    Transformer,
    batches,
    binary,
    cnn,
    data_of,
    deep,
    fault,
    he,
    mlp,
    scaled,
    score,
    started,
)
from benchmarks.trainings.training import HEALTHY, Build, Training
from torch import nn

PIXELS = Loop("pixels", steps=200, rate=3e-3)
FRIEDMAN = Loop("friedman", steps=400, rate=3e-3, loss=squared)


_fault = partial(fault, "held out")


def faulty() -> Iterator[Training]:
    """The faults, one after another."""
    numbers = partial(mlp, (10, 48, 48, 1))
    yield _fault(
        "vanishing",
        "12 tanh behind small weights, regression",
        lambda: started(deep(10, 24, 1, 12, nn.Tanh), scaled(0.3)),
        FRIEDMAN.but(optimiser="SGD", rate=0.05),
        twin=lambda: deep(10, 24, 1, 3, nn.Tanh),
    )
    yield _fault(
        "vanishing",
        "a plain Transformer that counts",
        partial(Transformer, 16, 16, 10, each=True, plain=True),
        Loop("counting", rate=1e-3, steps=200, loss=lambda out, y: F.cross_entropy(out.transpose(1, 2), y)),
        twin=partial(Transformer, 16, 16, 3, each=True),
    )
    yield _fault(
        "saturation",
        "sigmoids of weights 60 times as large",
        lambda: started(mlp((30, 24, 24, 1), nn.Sigmoid), scaled(60.0)),
        Loop("cancer", optimiser="SGD", rate=0.02, loss=binary, steps=200),
        layers="1 3",
        twin=partial(mlp, (30, 24, 24, 1), nn.ELU),
        rate=0.1,
    )
    yield _fault(
        "dead units", "convolutions with biases of -8", lambda: biased(cnn(), "3", -8.0), PIXELS, layers="3 4", twin=cnn
    )
    yield _fault(
        "dead units",
        "a step function's slope, regression",
        lambda: biased(numbers(partial(nn.Threshold, 8.0, 0.0)), "2", -2.0),
        FRIEDMAN,
        layers="2 3 1",
        twin=numbers,
    )
    yield _fault(
        "dead by rate",
        "RMSprop at 3 kills ReLU",
        partial(mlp, (64, 32, 32, 10)),
        Loop("digits", optimiser="RMSprop", rate=3.0),
        rate=3e-3,
    )
    yield _fault(
        "exploding",
        "nine convolutions of large weights",
        lambda: started(_convolutions(9), scaled(6.0)),
        PIXELS.but(optimiser="SGD", rate=0.01),
        twin=lambda: started(_convolutions(9), he),
    )
    yield _fault(
        "rate too small",
        "SGD at 1e-6 on pictures",
        cnn,
        PIXELS.but(optimiser="SGD", rate=1e-6),
        rate=0.1,
        settings={"momentum": 0.9},
    )
    yield _fault(
        "rate too large", "regression with Adam at 5", partial(numbers, nn.Tanh), FRIEDMAN.but(rate=5.0), rate=3e-3
    )
    yield _fault(
        "rate too large",
        "a recurrent network with SGD at 60",
        partial(Recurrent, nn.GRU, 8, 4),
        Loop("first token", optimiser="SGD", rate=60.0, steps=300),
        optimiser="Adam",
        rate=5e-3,
    )
    yield _fault(
        "zero start",
        "weights of zero, regression",
        lambda: started(numbers(nn.Tanh), filled(0.0)),
        FRIEDMAN,
        layers="0 2 4",
        twin=numbers,
    )
    yield _fault(
        "constant start",
        "convolutions of ones",
        lambda: started(cnn(nn.ELU), filled(0.1)),
        PIXELS,
        layers="0 3 6",
        twin=partial(cnn, nn.ELU),
    )
    yield _fault(
        "unscaled inputs",
        "wine as measured",
        partial(mlp, (13, 24, 3), nn.Sigmoid),
        Loop("raw wine", optimiser="SGD", rate=0.1, batch=16),
        data="wine",
    )
    yield _fault(
        "one huge feature",
        "one of ten columns times 20,000, regression",
        numbers,
        FRIEDMAN.but(optimiser="SGD", rate=0.01, change=column_times(20000.0, 4)),
        change=Loop.change,
    )
    yield _fault(
        "softmax twice",
        "convolutions and a softmax",
        lambda: nn.Sequential(*cnn(), nn.Softmax(dim=-1)),
        PIXELS.but(optimiser="SGD", rate=0.05),
        twin=cnn,
    )
    yield _fault(
        "softmax twice",
        "a sigmoid before a loss with logits",
        lambda: mlp((6, 16, 1), end=nn.Sigmoid()),
        Loop("imbalanced", optimiser="SGD", rate=0.05, steps=300, loss=binary),
        twin=partial(mlp, (6, 16, 1)),
        rate=0.3,
    )
    yield _fault(
        "squared and saturated",
        "a sigmoid of a large start with a squared error",
        lambda: biased(mlp((30, 24, 1), nn.Tanh, end=nn.Sigmoid()), "2", 14.0),
        Loop("cancer", optimiser="SGD", rate=0.3, loss=lambda out, y: F.mse_loss(out[:, 0], y.float())),
        layers="3",
        twin=partial(mlp, (30, 24, 1), nn.Tanh),
        loss=binary,
    )
    yield _fault(
        "no function",
        "three layers for waves",
        lambda: nn.Sequential(nn.Linear(2, 48), nn.Linear(48, 48), nn.Linear(48, 1)),
        Loop("waves", steps=500, rate=3e-3, loss=squared),
        twin=partial(mlp, (2, 48, 48, 1), nn.SiLU),
    )
    yield _fault(
        "ReLU before the loss",
        "pictures, a ReLU behind the last layer",
        lambda: nn.Sequential(*biased(cnn(), "6", -1.5), nn.ReLU()),
        PIXELS,
        twin=cnn,
    )
    yield _fault(
        "labels shuffled", "pictures with others' labels", cnn, PIXELS.but(change=shuffled), change=Loop.change
    )
    yield _fault(
        "labels shuffled", "numbers of other samples", numbers, FRIEDMAN.but(change=shuffled), change=Loop.change
    )
    yield _fault(
        "class collapse",
        "one in forty, a single logit",
        partial(mlp, (6, 24, 1), nn.Tanh),
        Loop("imbalanced", rate=1e-4, loss=binary),
        rate=3e-3,
        loss=lambda out, y: F.binary_cross_entropy_with_logits(out[:, 0], y.float(), pos_weight=torch.tensor(40.0)),
    )
    yield _fault(
        "dropout",
        "dropout of 0.97 between GELUs",
        lambda: nn.Sequential(
            *(nn.Linear(30, 32), nn.GELU(), nn.Dropout(0.97), nn.Linear(32, 32), nn.GELU(), nn.Dropout(0.97)),
            nn.Linear(32, 1),
        ),
        Loop("cancer", optimiser="SGD", rate=0.02, steps=150, loss=binary),
        layers="2 5",
        twin=partial(mlp, (30, 32, 32, 1), nn.GELU),
    )
    yield _fault(
        "missing zero_grad", "Adam on pictures", cnn, PIXELS.but(zero=False, rate=0.02, steps=300), zero=True, rate=3e-3
    )
    yield _fault(
        "frozen by mistake",
        "the last convolution and head alone",
        partial(cnn, nn.ReLU, channels=2),
        PIXELS.but(parameters=lambda model: model[6].parameters(), steps=150, rate=1e-2),
        layers="0 3",
        parameters=Loop.parameters,
    )
    yield _fault(
        "detached",
        "through NumPy",
        lambda: Behind(nn.Sequential(nn.Linear(2, 3), nn.Tanh()), mlp((3, 8, 1)), through_numpy),
        Loop("circles", rate=1e-2, steps=400, loss=binary),
        layers="trunk trunk.0",
        twin=lambda: Behind(nn.Sequential(nn.Linear(2, 16), nn.Tanh()), mlp((16, 8, 1)), as_it_is),
    )
    yield _fault(
        "NaN in the data",
        "one of 900 numbers is missing",
        numbers,
        FRIEDMAN.but(change=one_missing),
        change=Loop.change,
    )
    yield _fault(
        "log of zero",
        "a binary loss by hand",
        lambda: started(mlp((30, 24, 1)), scaled(9.0)),
        Loop("cancer", loss=binary_by_hand),
        loss=binary,
    )
    yield _fault(
        "clipped", "SGD on pictures, clipped to 1e-5", cnn, PIXELS.but(optimiser="SGD", rate=0.05, clip=1e-5), clip=5.0
    )
    yield _fault(
        "weight decay",
        "AdamW with a decay of 60",
        numbers,
        FRIEDMAN.but(optimiser="AdamW", settings={"weight_decay": 60.0}),
        settings={},
    )
    yield _fault(
        "batch norm at batch 1",
        "the tail of each epoch, all of it one by one",
        lambda: nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.SiLU(), nn.Flatten(), nn.Linear(288, 10)),
        Loop("pixels", steps=400, batch=1, optimiser="SGD", rate=0.2),
        layers="1",
        batch=32,
        rate=0.05,
    )
    yield _fault(
        "evaluation mode",
        "convolutions on raw pixels, never in training",
        partial(cnn, nn.SiLU, norm=True),
        Loop("pixels", optimiser="SGD", rate=0.02, change=inputs_times(90.0, -500.0), evaluating=True),
        layers="1 5",
        evaluating=False,
    )
    yield _fault(
        "underflow",
        "float16 over many outputs",
        lambda: mlp((10, 48, 48, 1), nn.Tanh),
        FRIEDMAN.but(half=torch.float16, loss=times(1e-7, squared)),
        half=None,
    )


def _imagined(model: nn.Module, seed: int) -> float:
    """Validated with no gradients every few steps, saved and loaded on the way."""
    data = data_of("wine")
    optimiser = torch.optim.NAdam(model.parameters(), 2e-3)
    best, kept = -1.0, model.state_dict()
    for step, (x, y) in enumerate(batches(data.part(True), 250, 16, seed)):
        optimiser.zero_grad()
        F.cross_entropy(model(x), y, label_smoothing=0.1).backward()
        optimiser.step()
        if step % 10 == 0 and (now := score(model, data.part(False))) > best:
            best, kept = now, {name: own.clone() for name, own in model.state_dict().items()}
    model.load_state_dict(kept)
    return score(model, data.part(False))


def healthy() -> Iterator[Training]:
    """Nothing is wrong with these."""

    def well(name: str, build: Build, train: Any) -> Training:
        return Training(name, HEALTHY, "held out", build, train)

    numbers = partial(mlp, (10, 48, 48, 1))
    one_cycle = lambda optimiser: torch.optim.lr_scheduler.OneCycleLR(optimiser, 0.2, total_steps=300)  # noqa: E731
    slow_start = lambda optimiser: torch.optim.lr_scheduler.LinearLR(optimiser, 0.001, 1.0, total_iters=200)  # noqa: E731
    yield well("ordinary convolutions", cnn, PIXELS)
    yield well("ReLU behind biases of -0.2, pictures", lambda: biased(cnn(), "0", -0.1), PIXELS)
    yield well("ELU, regression", partial(numbers, nn.ELU), FRIEDMAN)
    yield well(
        "GELU, mostly negative, wine",
        lambda: biased(mlp((13, 48, 3), nn.GELU), "0", -1.0),
        Loop("wine", batch=16, rate=3e-3),
    )
    yield well(
        "batch norm behind each of six convolutions", partial(_normed, 6), PIXELS.but(optimiser="SGD", rate=0.05)
    )
    yield well("branches that begin at zero, regression", partial(odd.shortcuts, 10, 24, 1, 6), FRIEDMAN)
    yield well("a head that begins at zero", lambda: _zero_head(mlp((8, 32, 32, 6), nn.SiLU)), Loop("blobs", rate=3e-3))
    yield well(
        "a linear warm-up of 200 steps",
        partial(Transformer, 8, 4, 2),
        Loop("first token", rate=2e-3, steps=500, schedule=slow_start),
    )
    yield well("one cycle", cnn, PIXELS.but(optimiser="SGD", rate=0.01, steps=300, schedule=one_cycle))
    yield well(
        "the first convolution frozen",
        lambda: _frozen(cnn(), "0"),
        PIXELS.but(parameters=lambda model: [own for own in model.parameters() if own.requires_grad]),
    )
    yield well("sparse embeddings by SparseAdam", partial(_bag, 8, 4), _two_optimisers)
    yield well(
        "targets of hundreds of thousands, SGD",
        partial(mlp, (10, 32, 1), nn.Tanh),
        FRIEDMAN.but(optimiser="Adam", rate=0.1, steps=800, change=targets_times(300.0)),
    )
    yield well("batches of two", partial(mlp, (8, 32, 6)), Loop("blobs", batch=2, steps=800))
    yield well("LSTM", partial(Recurrent, nn.LSTM, 8, 4), Loop("first token", rate=1e-2, steps=500))
    yield well(
        "dropout of a half between convolutions",
        lambda: nn.Sequential(nn.Conv2d(1, 16, 3), nn.ReLU(), nn.Dropout2d(0.5), nn.Flatten(), nn.Linear(576, 10)),
        PIXELS,
    )
    yield well(
        "functions that are methods, and one called twice",
        partial(odd.Functional, 30, 2, lambda x: x.sigmoid(), F.leaky_relu),
        Loop("cancer", rate=3e-3),
    )
    yield well(
        "functional, in place",
        partial(odd.Functional, 8, 6, lambda x: F.relu(x, inplace=True), torch.relu_),
        Loop("blobs", rate=3e-3),
    )
    yield well(
        "two fifths of the labels wrong",
        partial(mlp, (2, 32, 32, 2), nn.Tanh),
        Loop("moons", steps=400, rate=3e-3, change=some_wrong(0.4)),
    )
    yield well(
        "a bottleneck of three, sigmoid at the end",
        lambda: odd.Bottleneck(64, 8, end=nn.Sigmoid()),
        odd.reconstruct(nn.functional.binary_cross_entropy, 700, 3e-3),
    )
    yield well(
        "parts of a batch, bfloat16, pictures",
        cnn,
        PIXELS.but(batch=8, accumulate=2, half=torch.bfloat16, clip=0.5, optimiser="AdamW", steps=500),
    )
    yield well(
        "softplus at the end, targets above zero",
        lambda: mlp((10, 48, 1), nn.SiLU, end=nn.Softplus()),
        FRIEDMAN.but(change=targets_times(1.0)),
    )
    yield well("not far yet, pictures", cnn, PIXELS.but(optimiser="SGD", rate=0.04, steps=130))
    yield well("a generator", partial(mlp, (4, 48, 2)), odd.adversarial("generator", 400, 1e-3))
    yield well("a variational autoencoder, meant", partial(odd.Variational, 8), odd.variational("mean", 500))
    yield well("L-BFGS with a penalty", partial(mlp, (10, 12, 1), nn.Tanh), odd.quasi_newton)
    yield well("an average that follows", partial(mlp, (13, 24, 3), nn.Mish), odd.averaged)
    yield well("a policy", partial(mlp, (4, 24, 2), nn.Tanh), odd.policy)
    yield well("two views of each sample", partial(mlp, (64, 48, 16)), odd.contrastive)
    yield well("computed again on the way back", partial(odd.Checkpointed, 64, 10), Loop("digits", rate=3e-3))
    yield well("best weights kept", partial(mlp, (13, 24, 24, 3), nn.Hardswish), _imagined)
    yield well(
        "a Transformer that counts, slowly", partial(Transformer, 16, 16, 2, each=True), odd.language_model(250, 5e-4)
    )
    yield well(
        "one in forty, weighted",
        partial(mlp, (6, 24, 2)),
        Loop(
            "imbalanced",
            rate=3e-3,
            steps=400,
            loss=lambda out, y: F.cross_entropy(out, y, weight=torch.tensor([1.0, 40.0])),
        ),
    )


def _convolutions(layers: int) -> nn.Sequential:
    first, *others = (nn.Conv2d(8 if layer else 1, 8, 3, padding=1) for layer in range(layers))
    between = [part for layer in others for part in (nn.ReLU(), layer)]
    return nn.Sequential(first, *between, nn.ReLU(), nn.Flatten(), nn.Linear(512, 10))


def _normed(layers: int) -> nn.Module:
    blocks = [k for _ in range(layers) for k in (nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())]
    return nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), *blocks, nn.Flatten(), nn.Linear(512, 10))


def _zero_head(model: nn.Sequential) -> nn.Module:
    head: Any = model[-1]
    nn.init.zeros_(head.weight)
    return model


def _frozen(model: nn.Module, name: str) -> nn.Module:
    model.get_submodule(name).requires_grad_(False)
    return model


def _bag(tokens: int, classes: int) -> nn.Module:
    return nn.Sequential(
        nn.Embedding(tokens, 16, sparse=True), nn.Flatten(), nn.Linear(160, 32), nn.ReLU(), nn.Linear(32, classes)
    )


def _two_optimisers(model: Any, seed: int) -> float:
    data = data_of("first token")
    sparse, dense = torch.optim.SparseAdam(model[0].parameters(), 0.01), torch.optim.Adam(model[1:].parameters(), 3e-3)
    for x, y in batches(data.part(True), 300, 32, seed):
        sparse.zero_grad()
        dense.zero_grad()
        F.cross_entropy(model(x), y).backward()
        sparse.step()
        dense.step()
    return score(model, data.part(False))


HELD_OUT: tuple[Training, ...] = (*faulty(), *healthy())
