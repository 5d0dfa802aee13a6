#!/usr/bin/env bash
# A Keras model that ends in a softmax and has a loss of logits trains well on TensorFlow, and hardly on the others.
#
# On TensorFlow Keras notes on the tensor that a softmax or sigmoid gives what went in (`_keras_logits`), and its losses
# take that, whatever from_logits says: compiled or not, a second softmax is never applied. The same program on JAX or
# PyTorch applies it. The tensor must be the very one: a layer behind the softmax that changes nothing (Reshape), or
# `tf.identity`, brings the second softmax back.
#
# Seen with keras 3.15.0, tensorflow-cpu 2.21.0, jax 0.10.2, torch 2.13.0.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check keras==3.15.0 tensorflow-cpu==2.21.0 jax==0.10.2 torch==2.13.0
env/bin/python - <<'PYTHON'
import json
import subprocess
import sys

losses = """
import json, os, sys
os.environ["KERAS_BACKEND"], os.environ["TF_CPP_MIN_LOG_LEVEL"] = sys.argv[1], "3"
import keras, numpy as np

x = np.random.default_rng(0).normal(size=(256, 2)).astype("float32")
y = (x[:, 0] > 0) + 2 * (x[:, 1] > 0)
weights = np.random.default_rng(1).normal(size=(2, 4)).astype("float32")

def loss(*behind):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(4, use_bias=False), keras.layers.Softmax(), *behind])
    model.set_weights([weights])
    model.compile(keras.optimizers.SGD(1.0), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return round(model.fit(x, y.astype(int), batch_size=256, epochs=50, verbose=0).history["loss"][-1], 2)

print(json.dumps([loss(), loss(keras.layers.Reshape((4,)))]))
"""
found = {}
for backend in ("tensorflow", "jax", "torch"):
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", losses, backend], capture_output=True, text=True, check=True)
    found[backend] = json.loads(done.stdout.splitlines()[-1])
print("loss after 50 steps, with a softmax at the end, and with one and a Reshape behind it:", found)
assert found["jax"] == found["torch"] == [found["jax"][0]] * 2
assert found["tensorflow"][1] == found["jax"][0]
assert found["tensorflow"][0] < 0.7 * found["jax"][0]
PYTHON
