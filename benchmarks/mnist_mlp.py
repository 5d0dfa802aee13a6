"""784-512-10 on MNIST, batch 128, Adam: steps of one network per second, side by side in one run.

    make bench        or        .venv/bin/python benchmarks/mnist_mlp.py [--rounds 5]

The peers train one ReLU network and record nothing. actlab trains one, or two activations × four seeds, alone and with
everything recorded at the end of the epoch. "share of ceiling" is the arithmetic of a step, six operations for each
weight and sample, over that of a large matrix product in the same process.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping

import numpy as np

import side_by_side
from engine_timer import EngineTimer, medians

BATCH, RATE, STEPS = 128, 0.001, 300
WEIGHTS = 784 * 512 + 512 * 10
TORCH, KERAS = "PyTorch", "Keras"


def ceiling(size: int = 2048, rounds: int = 7) -> float:
    """Floating-point operations a second of a large matrix product in JAX, the fastest of some rounds."""
    import jax

    square = jax.random.normal(jax.random.key(0), (size, size))
    product = jax.jit(functools.partial(jax.numpy.matmul, precision="highest"))
    jax.block_until_ready(product(square, square))
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        jax.block_until_ready(product(square, square))
        seconds.append(time.perf_counter() - start)
    return 2 * size**3 / min(seconds)


def actlab_round(activations: list[str], seeds: int, recording: bool) -> Mapping[str, float]:
    """An epoch of the engine; with recording, the time of one observation is part of it."""
    from actlab import tasks
    from actlab.recipes import recipe
    from actlab.study import Study

    study = recipe("mnist-mlp").study
    task = tasks.load(study.task, validation=study.validation)
    study = Study(**(study.model_dump() | {"activations": activations, "seeds": seeds}))
    timer = EngineTimer(study, task)
    training, observing = medians(timer)
    seconds = training + (observing if recording else 0.0)
    rate = timer.members * timer.steps / seconds
    shared = {"recording %": 100 * observing / training} if recording else {}
    return {"rate": rate, "share of ceiling %": 100 * 6 * WEIGHTS * BATCH * rate / ceiling(), **shared}


def torch_round() -> Mapping[str, float]:
    """PyTorch, eager, on all cores."""
    import torch

    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(784, 512), torch.nn.ReLU(), torch.nn.Linear(512, 10))
    optimiser = torch.optim.Adam(model.parameters(), RATE)
    loss_function = torch.nn.CrossEntropyLoss()
    x, y = torch.rand(50 * BATCH, 784), torch.randint(0, 10, (50 * BATCH,))

    def step(batch: torch.Tensor) -> None:
        optimiser.zero_grad()
        loss_function(model(x[batch]), y[batch]).backward()
        optimiser.step()

    batches = torch.randint(0, len(x), (STEPS, BATCH))
    for batch in batches[:20]:
        step(batch)
    start = time.perf_counter()
    for batch in batches:
        step(batch)
    return {"rate": STEPS / (time.perf_counter() - start)}


def keras_round() -> Mapping[str, float]:
    """Keras on TensorFlow, `fit`; the first epoch, which traces, is not counted."""
    import keras

    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.Dense(512, activation="relu"), keras.layers.Dense(10)])
    model.compile(keras.optimizers.Adam(RATE), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    rng = np.random.default_rng(0)
    x, y = rng.random((STEPS * BATCH, 784), np.float32), rng.integers(0, 10, STEPS * BATCH)
    settings = {"batch_size": BATCH, "verbose": 0}
    model.fit(x[: 20 * BATCH], y[: 20 * BATCH], epochs=1, **settings)
    start = time.perf_counter()
    model.fit(x, y, epochs=1, **settings)
    return {"rate": STEPS / (time.perf_counter() - start)}


WAYS = {
    "actlab, 1 member, training": functools.partial(actlab_round, ["relu"], 1, False),
    "actlab, 1 member, recording": functools.partial(actlab_round, ["relu"], 1, True),
    "actlab, 2 × 4 members, training": functools.partial(actlab_round, ["relu", "tanh"], 4, False),
    "actlab, 2 × 4 members, recording": functools.partial(actlab_round, ["relu", "tanh"], 4, True),
    TORCH: torch_round,
    KERAS: keras_round,
}

if __name__ == "__main__":
    side_by_side.main(f"784-512-10, batch {BATCH}, Adam, steps of one network", WAYS, (TORCH, KERAS), rounds=3)
