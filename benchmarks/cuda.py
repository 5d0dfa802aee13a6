"""On a CUDA device: how many networks train in the time of one, PyTorch's eager loop beside them, in one run.

    .venv/bin/python benchmarks/cuda.py [--rounds 3]        needs jax and torch that see the device

Three networks: 784-512-10 (batch 128, Adam), LeNet-5 on 32×32×3 (batch 256, Adam), 2-2-1 (batch 16, SGD). All data are
random, all arithmetic is float32 throughout (no TF32). The ways take turns in one process; medians are compared.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

# JAX leaves PyTorch a part of the device's memory.
os.environ.setdefault("XLA_PYTHON_CLIENT_MEM_FRACTION", "0.7")

import jax
import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from actlab.layers import Act, Dense
from actlab.recipes import recipe
from actlab.study import SGD, Adam, Study
from actlab.tasks import Task
from actlab.tasks.task import build
from engine_timer import EngineTimer
from mnist_mlp import ceiling

TORCH_STEPS = 200


@dataclass
class Way:
    """One row: how many networks, the seconds of a step of them all, and of observing once, round by round."""

    name: str
    members: int
    measure: Callable[[], tuple[float, float | None]]
    operations: float


def random_task(samples: int, shape: tuple[int, ...], classes: int) -> Task:
    """Random samples, a few of them held out."""
    rng = np.random.default_rng(0)

    def part(count: int) -> tuple[np.ndarray, np.ndarray]:
        return rng.random((count, *shape), np.float32), rng.permutation(np.arange(count) % classes)

    return build("random", part(samples), part(1_000), part(1_000), provenance="random")


def actlab_way(study: Study, task: Task, activations: Sequence[str], seeds: int, operations: float) -> Way:
    """The engine's compiled program, an epoch at a time."""
    changes = {"activations": list(activations), "seeds": seeds}
    timer = EngineTimer(Study(**(study.model_dump() | changes)), task)

    def measure() -> tuple[float, float]:
        training, observing = timer.epoch_seconds()
        return training / timer.steps, observing

    plural = "s" if timer.members > 1 else ""
    return Way(f"actlab, {timer.members:,} member{plural}", timer.members, measure, operations)


def torch_way(
    model: torch.nn.Module, optimiser: torch.optim.Optimizer, task: Task, batch: int, operations: float
) -> Way:
    """PyTorch, eager, one network, data on the device."""
    binary = len(task.classes) == 2
    loss_function = torch.nn.BCEWithLogitsLoss() if binary else torch.nn.CrossEntropyLoss()
    x = torch.from_numpy(np.moveaxis(task.x_train, -1, 1).copy() if task.x_train.ndim == 4 else task.x_train).cuda()
    y = torch.from_numpy(task.y_train).cuda()
    y = y.float()[:, None] if binary else y.long()

    def measure() -> tuple[float, None]:
        batches = torch.randint(0, len(x), (TORCH_STEPS, batch), device="cuda")
        torch.cuda.synchronize()
        start = time.perf_counter()
        for chosen in batches:
            optimiser.zero_grad()
            loss_function(model(x[chosen]), y[chosen]).backward()
            optimiser.step()
        torch.cuda.synchronize()
        return (time.perf_counter() - start) / TORCH_STEPS, None

    measure()
    return Way("PyTorch, eager, 1 network", 1, measure, operations)


def mnist() -> list[Way]:
    """784-512-10."""
    batch, weights = 128, 784 * 512 + 512 * 10
    task, operations = random_task(12_800, (784,), 10), 6.0 * weights * batch
    network = [Dense(512), Act(), Dense(10)]
    study = Study(task="random", network=network, optimiser=Adam(), learning_rates=[0.001], batch=batch, epochs=1)
    model = torch.nn.Sequential(torch.nn.Linear(784, 512), torch.nn.ReLU(), torch.nn.Linear(512, 10)).cuda()
    ways = [torch_way(model, torch.optim.Adam(model.parameters(), 0.001), task, batch, operations)]
    return ways + [actlab_way(study, task, ["relu"], seeds, operations) for seeds in (1, 32, 256)]


def lenet5() -> list[Way]:
    """The network of the recipe cifar10-lenet5."""
    from lenet5 import torch_network

    batch, weighings = 256, 1024 * 75 * 6 + 256 * 150 * 16 + 64 * 400 * 120 + 7680 * 84 + 84 * 10
    task, operations = random_task(5_120, (32, 32, 3), 10), 6.0 * weighings * batch
    study = recipe("cifar10-lenet5").study
    model = torch_network().cuda()
    ways = [torch_way(model, torch.optim.Adam(model.parameters(), 0.001), task, batch, operations)]
    # Maxout takes a larger network: a population of its own, and so left out.
    same_size = [name for name in study.activations if name != "maxout"]
    for activations, seeds in ((["relu"], 1), (["relu"], 10), (same_size, 10)):
        ways.append(actlab_way(study, task, activations, seeds, operations))
    return ways


def parabolas() -> list[Way]:
    """2-2-1."""
    task, operations = random_task(2_000, (2,), 2), 6.0 * 6 * 16
    network = [Dense(2), Act(), Dense(1)]
    study = Study(task="random", network=network, optimiser=SGD(), learning_rates=[0.05], batch=16, epochs=1)
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Tanh(), torch.nn.Linear(2, 1)).cuda()
    ways = [torch_way(model, torch.optim.SGD(model.parameters(), 0.05), task, 16, operations)]
    return ways + [actlab_way(study, task, ["tanh"], seeds, operations) for seeds in (1, 100, 10_000)]


def show(title: str, ways: Sequence[Way], rounds: int, peak: float) -> None:
    """Measure in turns and print the table; PyTorch's way is the first, one network of actlab's the second."""
    found: list[list[tuple[float, float | None]]] = [[] for _ in ways]
    for _ in range(rounds):
        for own, way in zip(found, ways, strict=True):
            own.append(way.measure())
    seconds = [statistics.median(step for step, _ in own) for own in found]
    table = Table(title=f"{title}: medians of {rounds} interleaved rounds")
    heads = ("way", "ms a step of all", "steps of one network/s", "× PyTorch", "networks in the time of one")
    for head in (*heads, "share of the matrix peak %", "observing once, ms"):
        table.add_column(head, justify="left" if head == "way" else "right")
    peer, alone = seconds[:2]
    for step, own, way in zip(seconds, found, ways, strict=True):
        rate = way.members / step
        observing = [value for _, value in own if value is not None]
        table.add_row(
            way.name,
            f"{1e3 * step:,.3f}",
            f"{rate:,.0f}",
            f"{rate * peer:,.2f}",
            f"{rate * alone:,.1f}",
            f"{100 * way.operations * rate / peak:.2g}",
            f"{1e3 * statistics.median(observing):,.1f}" if observing else "",
        )
    Console(width=140).print(table)


def main() -> None:
    """The three tables, with what they were measured on."""
    parser = argparse.ArgumentParser(description="PyTorch and actlab on a CUDA device, side by side")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("names", nargs="*", default=["mnist", "lenet5", "parabolas"])
    arguments = parser.parse_args()
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    peak = ceiling(8192)
    device = f"{jax.devices()[0].device_kind}, JAX {jax.__version__}, PyTorch {torch.__version__}"
    sys.stdout.write(f"{device}; a matrix product of 8192 in float32: {peak / 1e12:.1f} TFLOP/s\n")
    networks = {"mnist": mnist, "lenet5": lenet5, "parabolas": parabolas}
    for name in arguments.names:
        show(name, networks[name](), arguments.rounds, peak)


if __name__ == "__main__":
    main()
