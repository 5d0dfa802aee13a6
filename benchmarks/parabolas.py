"""Two parabolas, network 2-2-1, batch 16: steps of one network per second, side by side in one run.

    make bench        or        .venv/bin/python benchmarks/parabolas.py [--rounds 5]

actlab trains 3 activations × 16 or 64 seeds for 150 epochs and records everything; PyTorch and Keras train one tanh
network on the same steps for a second or two, and record nothing.
"""

from __future__ import annotations

import functools
import tempfile
import time
from pathlib import Path

import numpy as np

import side_by_side

BATCH, RATE, EPOCHS = 16, 0.05, 20
TORCH, KERAS = "PyTorch", "Keras"


def actlab_round(seeds: int) -> dict[str, float]:
    """Everything recorded; and the seconds of compiling, which the first round alone has."""
    from actlab import engine
    from actlab.recipes import recipe
    from actlab.study import Study

    study = Study(**(recipe("parabolas").study.model_dump() | {"seeds": seeds}))
    with tempfile.TemporaryDirectory() as directory:
        found = engine.train(study, Path(directory) / "run").facts["throughput"]
    return {"rate": found["net_steps_per_second"]}


def torch_round() -> dict[str, float]:
    """PyTorch, eager, on one thread: for tensors this small a second one only costs."""
    import torch

    from actlab import tasks

    task = tasks.load("parabolas")
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


def keras_round() -> dict[str, float]:
    """Keras on TensorFlow, `fit`; the first epoch, which traces, is not counted."""
    import keras

    from actlab import tasks

    task = tasks.load("parabolas")
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.Dense(2, activation="tanh"), keras.layers.Dense(1, activation="sigmoid")])
    model.compile(keras.optimizers.SGD(RATE), "binary_crossentropy")
    settings = {"batch_size": BATCH, "verbose": 0}
    model.fit(task.x_train, task.y_train, epochs=1, **settings)
    start = time.perf_counter()
    model.fit(task.x_train, task.y_train, epochs=EPOCHS // 4, **settings)
    return {"rate": EPOCHS // 4 * -(-len(task.x_train) // BATCH) / (time.perf_counter() - start)}


WAYS = {
    "actlab, 3 × 16 members": functools.partial(actlab_round, 16),
    "actlab, 3 × 64 members": functools.partial(actlab_round, 64),
    TORCH: torch_round,
    KERAS: keras_round,
}

if __name__ == "__main__":
    side_by_side.main(f"2-2-1 on two parabolas, batch {BATCH}, steps of one network", WAYS, (TORCH, KERAS))
