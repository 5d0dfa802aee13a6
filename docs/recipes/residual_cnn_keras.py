"""The residual network of `residual_cnn.py` in Keras, on whatever backend is chosen.

KERAS_BACKEND=jax .venv/bin/python docs/recipes/residual_cnn_keras.py [DIRECTORY] [--small]
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import keras
import numpy as np
from sklearn.datasets import load_digits

import actlab.keras

FUNCTIONS = ("relu", "elu", "gelu", "silu", "mish", "tanh")
WIDTH = 16
ORDER = np.random.default_rng(0).permutation(1797)
PARTS = {"train": ORDER[:1000], "validation": ORDER[1000:1400], "test": ORDER[1400:]}


def digits(part: str) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (samples, 8, 8, 1) from 0 to 1 and their classes."""
    pictures, classes = load_digits(return_X_y=True)
    return (pictures / 16).reshape(-1, 8, 8, 1).astype("float32")[PARTS[part]], classes[PARTS[part]]


def block(act: Any, x: Any) -> Any:
    """Two convolutions, each behind a batch normalisation and the function, around which the input goes."""
    inner = x
    for _ in range(2):
        # Of so few steps the usual mean over a hundred of them would still hold the start.
        inner = act()(keras.layers.BatchNormalization(momentum=0.9)(inner))
        inner = keras.layers.Conv2D(WIDTH, 3, padding="same", use_bias=False)(inner)
    return keras.layers.Add()([x, inner])


def build(act: Any) -> keras.Model:
    """Two blocks between a convolution and a dense layer."""
    inputs = keras.Input((8, 8, 1))
    x = block(act, keras.layers.Conv2D(WIDTH, 3, padding="same")(inputs))
    x = act()(block(act, keras.layers.MaxPooling2D(2)(x)))
    return keras.Model(inputs, keras.layers.Dense(10)(keras.layers.GlobalAveragePooling2D()(x)))


def train(model: Any, seed: int, watch: Any, epochs: int = 6) -> dict[str, float]:
    """Adam; what `fit` logs is entered by the callback, the test data by what is returned."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.003), loss, metrics=["accuracy"])
    model.fit(
        *digits("train"), batch_size=50, epochs=epochs, validation_data=digits("validation"), verbose=0,
        callbacks=[watch.callback],
    )  # fmt: skip
    loss, accuracy = model.evaluate(*digits("test"), verbose=0)
    return {"test_loss": loss, "test_accuracy": accuracy}


def train_briefly(model: Any, seed: int, watch: Any) -> dict[str, float]:
    """One epoch, to see that it runs."""
    return train(model, seed, watch, epochs=1)


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    asked.add_argument("directory", nargs="?", type=Path, default=Path("runs/residual_cnn_keras"))
    asked.add_argument("--small", action="store_true", help="two functions, two seeds, one epoch")
    given = asked.parse_args()
    loop, functions, seeds = (train_briefly, FUNCTIONS[:2], 2) if given.small else (train, FUNCTIONS, 6)
    recording = actlab.keras.compare(build, loop, functions, seeds, given.directory)
    print(recording.summary["headline"])
