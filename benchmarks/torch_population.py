"""All members of a PyTorch network at once, beside the loops that a user would write, one after the other.

    python benchmarks/torch_population.py [--rounds 3] [--batches 32,128] [--optimisers adam,sgd] [--write]

A 784-512-10 network on the first samples of MNIST (random ones of its shape where it is not there), 8 functions × 10
seeds, one epoch of training. In each round three ways take turns: the engine's population; eager loops that choose each
batch by indexing a tensor, over `--looped` seeds of each function, for all take alike; the same with a DataLoader over
a TensorDataset. Loops run with PyTorch's own number of threads and with one, and the faster one counts. The floor is
what matrix products and the optimiser's kernel take alone. Nobody looks at validation data meanwhile; what the engine
takes to trace its graphs, once for a study, and to observe all members once stands beside. The fewest seconds over the
rounds count. `--write` writes the table into docs/performance.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from actlab import tasks
from actlab.engine.torch import program
from actlab.errors import DownloadFailed
from actlab.plan.batches import OBSERVE, orders
from actlab.plan.evaluation import prepare
from actlab.plan.population import populations
from actlab.study import Study, complete
from actlab.tasks import Task
from actlab.tasks.task import build

FUNCTIONS: dict[str, Callable[[], nn.Module]] = {
    "sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "relu": nn.ReLU, "leaky_relu": nn.LeakyReLU, "elu": nn.ELU,
    "gelu": nn.GELU, "silu": nn.SiLU, "mish": nn.Mish,
}  # fmt: skip
SEEDS = tuple(range(10))
RATES = {"adam": 0.001, "sgd": 0.05}
PAGE = Path(__file__).resolve().parents[1] / "docs" / "performance.md"
BEGIN, END = "<!-- torch_population.py -->", "<!-- /torch_population.py -->"
WAYS = ("population", "indexing", "DataLoader")


class Net(nn.Module):
    """784-512-10."""

    def __init__(self, act: Callable[[str], nn.Module]) -> None:
        super().__init__()
        self.first, self.act, self.last = nn.Linear(784, 512), act("hidden"), nn.Linear(512, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits."""
        return self.last(self.act(self.first(x.flatten(1))))


def data(samples: int) -> tuple[Task, str]:
    """So many training samples, and what they are."""
    try:
        whole = tasks.load("mnist")
        parts = [(whole.x_train[:samples], whole.y_train[:samples]), *[(whole.x_test[:500], whole.y_test[:500])] * 2]
        told = "MNIST"
    except DownloadFailed:
        rng = np.random.default_rng(0)
        parts = [
            (rng.random((count, 28, 28, 1), np.float32), rng.integers(0, 10, count)) for count in (samples, 500, 500)
        ]
        told = "random samples of MNIST's shape"
    return build("mnist", *parts, provenance=told), told


def loop(task: Task, order: np.ndarray, function: str, seed: int, optimiser: str, *, loader: bool) -> None:
    """One network, trained for an epoch as PyTorch's tutorials do."""
    torch.manual_seed(seed)
    net = Net(lambda _: FUNCTIONS[function]())
    kind = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}[optimiser]
    steps = kind(net.parameters(), lr=RATES[optimiser])
    criterion = nn.CrossEntropyLoss()
    x, y = torch.from_numpy(task.x_train), torch.from_numpy(task.y_train).long()
    if loader:
        batches = iter(DataLoader(TensorDataset(x, y), batch_size=order.shape[1], shuffle=True))
    else:
        batches = ((x[chosen], y[chosen]) for chosen in torch.from_numpy(order).long())
    for inputs, targets in batches:
        steps.zero_grad()
        criterion(net(inputs), targets).backward()
        steps.step()


def loops(task: Task, order: np.ndarray, optimiser: str, seeds: tuple[int, ...], *, loader: bool) -> float:
    """Milliseconds for a step of one network, over all functions and some seeds, one after the other."""
    start = time.perf_counter()
    for function in FUNCTIONS:
        for place, seed in enumerate(seeds):
            loop(task, order[..., place], function, seed, optimiser, loader=loader)
    return 1000 * (time.perf_counter() - start) / (len(FUNCTIONS) * len(seeds) * len(order))


def faster(measured: Callable[[], float]) -> float:
    """With PyTorch's own number of threads, or with one."""
    threads, found = torch.get_num_threads(), []
    for count in dict.fromkeys((threads, 1)):
        torch.set_num_threads(count)
        found.append(measured())
    torch.set_num_threads(threads)
    return min(found)


def floor(batch: int, optimiser: str) -> float:
    """Milliseconds of a member's step for matrix products and the optimiser's kernel alone, for ten members at once."""
    shapes = ((512, 784), (10, 512))
    weights = [torch.randn(10, *shape) for shape in shapes]
    kind = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}[optimiser]
    steps = kind(weights, lr=1e-9, fused=True)
    inputs = [torch.randn(10, batch, shape[1]) for shape in shapes]
    outputs = [torch.randn(10, batch, shape[0]) for shape in shapes]

    def step() -> None:
        for weight, x, gradient in zip(weights, inputs, outputs, strict=True):
            torch.bmm(x, weight.transpose(1, 2))
            weight.grad = torch.bmm(gradient.transpose(1, 2), x)
        torch.bmm(outputs[1], weights[1])
        steps.step()

    def several() -> float:
        step()
        start = time.perf_counter()
        for _ in range(10):
            step()
        return 1000 * (time.perf_counter() - start) / 100

    return faster(several)


def measure(task: Task, batch: int, optimiser: str, rounds: int, looped: int) -> dict[str, float]:
    """Milliseconds for a step of one member, each way; seconds to trace and to observe."""
    study = Study(
        network=Net, activations=list(FUNCTIONS), seeds=SEEDS, batch=batch, optimiser=optimiser,
        learning_rates=RATES[optimiser], epochs=1,
    )  # fmt: skip
    study = complete(study, task)
    (population,) = populations(study, task.input_shape)
    start = time.perf_counter()
    own = program.build(study, prepare(study, task), population)
    found = {"trace": time.perf_counter() - start}
    order = orders(study, len(task.x_train), SEEDS, range(1, 2))[0]
    own.train(order)
    for _ in range(rounds):
        start = time.perf_counter()
        own.train(order)
        mine = 1000 * (time.perf_counter() - start) / (len(FUNCTIONS) * len(SEEDS) * len(order))
        start = time.perf_counter()
        own.advance(np.array([OBSERVE], np.int32), order[None])
        observing = time.perf_counter() - start
        indexing = faster(lambda: loops(task, order, optimiser, SEEDS[:looped], loader=False))
        loader = faster(lambda: loops(task, order, optimiser, SEEDS[:looped], loader=True))
        seen = (mine, indexing, loader, observing, floor(batch, optimiser))
        now = dict(zip((*WAYS, "observe", "floor"), seen, strict=True))
        found |= {name: min(value, found.get(name, value)) for name, value in now.items()}
    return found


def table(rows: list[tuple[int, str, dict[str, float]]], told: str, samples: int) -> str:
    """Markdown."""
    lines = [
        f"784-512-10 on {samples:,} training samples ({told}), 8 functions × 10 seeds, float32, "
        f"{platform.machine()} with {os.cpu_count()} cores, PyTorch {torch.__version__}, load average "
        f"{os.getloadavg()[0]:.0f} at the end. Milliseconds for a step of one network; in brackets how many times as "
        "long as in the population. The floor is what matrix products and the optimiser's kernel take alone, of ten "
        "members at once.",
        "",
        "| batch | optimiser | floor | population | loops, indexing | loops, DataLoader | tracing, once | observing |",
        "|--:|---|--:|--:|--:|--:|--:|--:|",
    ]
    for batch, optimiser, found in rows:
        mine = found["population"]
        beside = " | ".join(f"{found[way]:.3f} ({found[way] / mine:.1f} ×)" for way in WAYS[1:])
        lines.append(
            f"| {batch} | {optimiser} | {found['floor']:.3f} | {mine:.3f} | {beside} | {found['trace']:.1f} s | "
            f"{found['observe']:.1f} s |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and write where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--looped", type=int, default=2)
    parser.add_argument("--samples", type=int, default=2048)
    parser.add_argument("--batches", default="32,128")
    parser.add_argument("--optimisers", default="adam,sgd")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    task, told = data(given.samples)
    rows = []
    for batch in map(int, given.batches.split(",")):
        for optimiser in given.optimisers.split(","):
            rows.append((batch, optimiser, measure(task, batch, optimiser, given.rounds, given.looped)))
            print(table(rows[-1:], told, given.samples).splitlines()[-1], flush=True)
    found = table(rows, told, given.samples)
    print(found)
    if given.write:
        page = PAGE.read_text(encoding="utf-8")
        before, after = page.split(BEGIN)[0], page.split(END)[1]
        PAGE.write_text(f"{before}{BEGIN}\n{found}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
