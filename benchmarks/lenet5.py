"""LeNet-5 on images of 32×32×3, batch 256, Adam: steps of one network per second, side by side in one run.

    make bench        or        .venv/bin/python benchmarks/lenet5.py [--rounds 3]

The network of the recipe cifar10-lenet5. The peers train one ReLU network and record nothing; actlab trains one, or
three activations × two seeds, on random images, alone and with everything recorded.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

import side_by_side
from actlab.plan.evaluation import EVALUATION_SAMPLES
from engine_timer import EngineTimer, medians

BATCH, RATE, STEPS = 256, 0.001, 12
TORCH, KERAS = "PyTorch", "Keras"


def images(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Random pixels and classes."""
    rng = np.random.default_rng(0)
    return rng.random((count, 32, 32, 3), np.float32), rng.permutation(np.arange(count) % 10)


def actlab_round(activations: list[str], seeds: int, recording: bool) -> Mapping[str, float]:
    """An epoch of 5,000 images; observing as many and 10,000 more, as the recipe does, for its share of 50,000."""
    from actlab.recipes import recipe
    from actlab.study import Study
    from actlab.tasks.task import build

    seen, held_out = images(EVALUATION_SAMPLES), images(10_000)
    task = build("random", seen, held_out, held_out, provenance="random")
    study = Study(**(recipe("cifar10-lenet5").study.model_dump() | {"activations": activations, "seeds": seeds}))
    timer = EngineTimer(study, task)
    training, observing = medians(timer)
    share = observing * EVALUATION_SAMPLES / 50_000 if recording else 0.0
    rate = timer.members * timer.steps / (training + share)
    return {"rate": rate, "ms a step": 1e3 / rate, **({"recording %": 100 * share / training} if recording else {})}


def torch_network() -> Any:
    """LeNet-5 in PyTorch."""
    from torch import nn

    return nn.Sequential(
        *(nn.Conv2d(3, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(6, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 120, 5, padding=2), nn.ReLU(), nn.Flatten()),
        *(nn.Linear(7680, 84), nn.ReLU(), nn.Linear(84, 10)),
    )


def torch_round() -> Mapping[str, float]:
    """PyTorch, eager, on all cores."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    model = torch_network()
    optimiser = torch.optim.Adam(model.parameters(), RATE)
    loss_function = nn.CrossEntropyLoss()
    x, y = images(4 * BATCH)
    x, y = torch.from_numpy(x.transpose(0, 3, 1, 2).copy()), torch.from_numpy(y)

    def step(batch: torch.Tensor) -> None:
        optimiser.zero_grad()
        loss_function(model(x[batch]), y[batch]).backward()
        optimiser.step()

    batches = torch.randint(0, len(x), (STEPS, BATCH))
    for batch in batches[:3]:
        step(batch)
    start = time.perf_counter()
    for batch in batches:
        step(batch)
    seconds = time.perf_counter() - start
    return {"rate": STEPS / seconds, "ms a step": 1e3 * seconds / STEPS}


def keras_round() -> Mapping[str, float]:
    """Keras on TensorFlow, `fit`; the first epoch, which traces, is not counted."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    convolution = functools.partial(layers.Conv2D, kernel_size=5, padding="same", activation="relu")
    model = keras.Sequential(
        [
            *(convolution(6), layers.MaxPooling2D(), convolution(16), layers.MaxPooling2D(), convolution(120)),
            *(layers.Flatten(), layers.Dense(84, activation="relu"), layers.Dense(10)),
        ]
    )
    model.compile(keras.optimizers.Adam(RATE), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    x, y = images(STEPS * BATCH)
    settings = {"batch_size": BATCH, "verbose": 0}
    model.fit(x[: 2 * BATCH], y[: 2 * BATCH], epochs=1, **settings)
    start = time.perf_counter()
    model.fit(x, y, epochs=1, **settings)
    seconds = time.perf_counter() - start
    return {"rate": STEPS / seconds, "ms a step": 1e3 * seconds / STEPS}


WAYS = {
    "actlab, 1 member, training": functools.partial(actlab_round, ["relu"], 1, False),
    "actlab, 3 × 2 members, training": functools.partial(actlab_round, ["relu", "tanh", "sigmoid"], 2, False),
    "actlab, 3 × 2 members, recording": functools.partial(actlab_round, ["relu", "tanh", "sigmoid"], 2, True),
    TORCH: torch_round,
    KERAS: keras_round,
}

if __name__ == "__main__":
    side_by_side.main(f"LeNet-5, batch {BATCH}, Adam, steps of one network", WAYS, (TORCH, KERAS), rounds=3)
