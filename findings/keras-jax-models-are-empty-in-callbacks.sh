#!/usr/bin/env bash
# In a Keras callback on JAX, `model.get_weights()` fails where `self.model.get_weights()` works, though both are one.
#
# During `fit` the JAX trainer takes the values out of the variables and keeps them in its own state. The property
# `Callback.model` puts them back whenever it is read; the same object by its own name, from a closure or from the
# `_model` of the callback, has variables without values. On TensorFlow and PyTorch both ways are the same.
#
# Seen with keras 3.15.0, jax 0.10.2.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check keras==3.15.0 jax==0.10.2
KERAS_BACKEND=jax env/bin/python - <<'PYTHON'
import keras
import numpy as np

model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
model.compile("sgd", "mse")


class Reads(keras.callbacks.Callback):
    def __init__(self, named):
        super().__init__()
        self.named, self.read = named, []

    def on_train_batch_end(self, batch, logs=None):
        own = model if self.named else self.model
        try:
            self.read.append(bool(np.isfinite(own.get_weights()[0]).all()))
        except Exception as error:
            self.read.append(type(error).__name__)


data = np.ones((8, 3), "float32"), np.ones((8, 2), "float32")
by_property, by_name = Reads(named=False), Reads(named=True)
model.fit(*data, batch_size=2, verbose=0, callbacks=[by_property])
model.fit(*data, batch_size=2, verbose=0, callbacks=[by_name])
print("self.model:", by_property.read)
print("model:", by_name.read)
assert by_property.read == [True] * 4
assert by_name.read and not any(own is True for own in by_name.read)
PYTHON
