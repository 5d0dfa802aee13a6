"""Two parabolas, network 2-2-1, batch 16: steps of one network per second, side by side in one run.

    make bench        or        .venv/bin/python benchmarks/parabolas.py [--rounds 5]

actlab trains 3 activations × 16 or 64 seeds for 150 epochs and records everything; PyTorch and Keras train one tanh
network on the same steps for a second or two, and record nothing. The ways take turns, each round in a process of its
own, so that no library's threads are in another's way. Figures are medians over rounds; what counts are the ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from actlab import tasks

BATCH, RATE, EPOCHS = 16, 0.05, 20
SEEDS = {"actlab, 3 × 16 members": 16, "actlab, 3 × 64 members": 64}
TORCH, KERAS = "PyTorch eager, 1 network", "Keras fit on TensorFlow, 1"


def actlab_round(task: tasks.Task, seeds: int) -> dict[str, float]:
    """Steps of one network per second with everything recorded, and seconds of compiling."""
    from actlab import engine
    from actlab.recipes import recipe
    from actlab.study import Study

    study = Study(**(recipe("parabolas").study.model_dump() | {"seeds": seeds}))
    with tempfile.TemporaryDirectory() as directory:
        found = engine.run(study, Path(directory) / "run", task=task).facts["throughput"]
    return {"rate": found["net_steps_per_second"], "compile_seconds": found["compile_seconds"]}


def torch_round(task: tasks.Task) -> dict[str, float]:
    """PyTorch, eager, on one thread: for tensors this small a second one only costs."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Tanh(), torch.nn.Linear(2, 1))
    optimiser = torch.optim.SGD(model.parameters(), RATE)
    loss_function = torch.nn.BCEWithLogitsLoss()
    x, y = torch.from_numpy(task.x_train), torch.from_numpy(task.y_train).float()[:, None]
    rng = np.random.default_rng(0)
    order = np.concatenate([rng.permutation(len(x)) for _ in range(EPOCHS)])
    batches = torch.from_numpy(order.reshape(-1, BATCH))
    start = time.perf_counter()
    for batch in batches:
        optimiser.zero_grad()
        loss_function(model(x[batch]), y[batch]).backward()
        optimiser.step()
    return {"rate": len(batches) / (time.perf_counter() - start)}


def keras_round(task: tasks.Task) -> dict[str, float]:
    """Keras on TensorFlow, `fit`; the first epoch, which traces, is not counted."""
    import keras

    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.Dense(2, activation="tanh"), keras.layers.Dense(1, activation="sigmoid")])
    model.compile(keras.optimizers.SGD(RATE), "binary_crossentropy")
    settings = {"batch_size": BATCH, "verbose": 0}
    model.fit(task.x_train, task.y_train, epochs=1, **settings)
    start = time.perf_counter()
    model.fit(task.x_train, task.y_train, epochs=EPOCHS // 4, **settings)
    return {"rate": EPOCHS // 4 * -(-len(task.x_train) // BATCH) / (time.perf_counter() - start)}


def one_round(way: str) -> dict[str, float]:
    """One round of one way, in this process."""
    task = tasks.load("parabolas")
    if way in SEEDS:
        return actlab_round(task, SEEDS[way])
    return torch_round(task) if way == TORCH else keras_round(task)


def in_a_process(way: str) -> dict[str, float]:
    """One round of one way, in a process of its own."""
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", "KERAS_BACKEND": "tensorflow"}
    command = [sys.executable, __file__, "--way", way]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def show(rates: dict[str, list[float]], rounds: int) -> None:
    """The table of medians and ratios."""
    table = Table(title=f"2-2-1 on two parabolas, batch {BATCH}: medians of {rounds} interleaved rounds")
    table.add_column("way", no_wrap=True)
    for column in ("steps/s of one network", "lowest to highest", "× PyTorch", "× Keras"):
        table.add_column(column, justify="right")
    medians = {way: statistics.median(values) for way, values in rates.items()}
    for way, values in rates.items():
        spread = f"{min(values):,.0f} – {max(values):,.0f}"
        ratios = (f"{medians[way] / medians[other]:,.1f}" for other in (TORCH, KERAS))
        table.add_row(way, f"{medians[way]:,.0f}", spread, *ratios)
    Console(width=100).print(table)


def main() -> None:
    """Interleave the rounds and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--way", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.way:
        print(json.dumps(one_round(arguments.way)))
        return
    ways = [*SEEDS, TORCH, KERAS]
    compiling = [in_a_process(way)["compile_seconds"] for way in SEEDS]
    rates: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(arguments.rounds):
        for way in ways:
            rates[way].append(in_a_process(way)["rate"])
    show(rates, arguments.rounds)
    print(
        f"actlab records every epoch; its first processes took {', '.join(f'{s:.2f} s' for s in compiling)} to compile"
    )
    print(f"machine: {platform.system()} {platform.machine()}, {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
