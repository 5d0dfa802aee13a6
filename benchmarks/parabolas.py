"""Two parabolas, network 2-2-1, batch 16: steps of one network per second, side by side in one run.

    make bench        or        .venv/bin/python benchmarks/parabolas.py [--rounds 5]

actlab trains 3 activations × 16 seeds for 150 epochs (900,000 network steps) and records everything; PyTorch and Keras
train one tanh network on the same steps for as many epochs as a second or so allows, and record nothing. The three
take turns; every figure is a median over rounds, and what counts are the ratios.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from actlab import engine, tasks
from actlab.engine import program
from actlab.recipes import recipe
from actlab.study import Study

BATCH, RATE = 16, 0.05


def actlab_round(task: tasks.Task, seeds: int) -> tuple[float, float]:
    """Steps of one network per second with everything recorded, and seconds of compiling."""
    study = Study(**(recipe("parabolas").study.model_dump() | {"seeds": seeds}))
    with tempfile.TemporaryDirectory() as directory:
        found = engine.run(study, Path(directory) / "run", task=task).facts["throughput"]
    return found["net_steps_per_second"], found["compile_seconds"]


def torch_round(task: tasks.Task, epochs: int = 4) -> float:
    """PyTorch, eager, one network."""
    import torch

    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Tanh(), torch.nn.Linear(2, 1))
    optimiser = torch.optim.SGD(model.parameters(), RATE)
    loss_function = torch.nn.BCEWithLogitsLoss()
    x, y = torch.from_numpy(task.x_train), torch.from_numpy(task.y_train).float()[:, None]
    study = recipe("parabolas").study
    order = torch.from_numpy(program.orders(study, len(x), (0,), range(1, epochs + 1)).astype(np.int64))
    batches = order.reshape(-1, BATCH)
    start = time.perf_counter()
    for batch in batches:
        optimiser.zero_grad()
        loss_function(model(x[batch]), y[batch]).backward()
        optimiser.step()
    return len(batches) / (time.perf_counter() - start)


def keras_round(task: tasks.Task, epochs: int = 4) -> float:
    """Keras on TensorFlow, `fit`, one network; the first epoch, which traces, is not counted."""
    import keras

    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.Dense(2, activation="tanh"), keras.layers.Dense(1, activation="sigmoid")])
    model.compile(keras.optimizers.SGD(RATE), "binary_crossentropy")
    settings = {"batch_size": BATCH, "verbose": 0}
    model.fit(task.x_train, task.y_train, epochs=1, **settings)
    start = time.perf_counter()
    model.fit(task.x_train, task.y_train, epochs=epochs, **settings)
    return epochs * -(-len(task.x_train) // BATCH) / (time.perf_counter() - start)


def main() -> None:
    """Interleave the rounds and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    task = tasks.load("parabolas")
    ways: dict[str, Callable[[], float]] = {
        "actlab, 3 × 16 members, everything recorded": lambda: actlab_round(task, 16)[0],
        "actlab, 3 × 64 members, everything recorded": lambda: actlab_round(task, 64)[0],
        "PyTorch eager, one network": lambda: torch_round(task),
        "Keras on TensorFlow, fit, one network": lambda: keras_round(task),
    }
    _, compile_seconds = actlab_round(task, 16)
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            rates[name].append(way())
    show(rates, rounds, compile_seconds)


def show(rates: dict[str, list[float]], rounds: int, compile_seconds: float) -> None:
    """The table."""
    table = Table(title=f"2-2-1 on two parabolas, batch {BATCH}: medians of {rounds} interleaved rounds")
    table.add_column("way")
    for column in ("steps of one network / s", "lowest to highest", "× PyTorch", "× Keras"):
        table.add_column(column, justify="right")
    medians = {name: statistics.median(values) for name, values in rates.items()}
    torch_median, keras_median = list(medians.values())[-2:]
    for name, values in rates.items():
        spread = f"{min(values):,.0f} to {max(values):,.0f}"
        ratios = (f"{medians[name] / other:,.1f}" for other in (torch_median, keras_median))
        table.add_row(name, f"{medians[name]:,.0f}", spread, *ratios)
    Console().print(table)
    print(f"compiling actlab's program, first call of this process: {compile_seconds:.2f} s")
    print(f"machine: {platform.system()} {platform.machine()}, {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
