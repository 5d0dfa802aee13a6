#!/usr/bin/env bash
# The slope of one Keras activation at its kink is another number on another backend.
#
# At 0, celu has the slope 2 on TensorFlow and 1 on JAX and PyTorch; selu 1.05 on TensorFlow and 1.76 on the
# others; leaky_relu 1 on JAX and 0.2 on the others; hard_tanh at -1 and 1 has 0 on PyTorch and 1 on the others.
# Units that start at exactly 0 (zero inputs, zero biases) train differently.
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

slope = """
import json, os, sys
os.environ["KERAS_BACKEND"], os.environ["TF_CPP_MIN_LOG_LEVEL"] = sys.argv[1], "3"
import keras, numpy as np

def slope(function, at):
    x = np.float32([at])
    if sys.argv[1] == "tensorflow":
        import tensorflow
        x = tensorflow.constant(x)
        with tensorflow.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        return float(tape.gradient(y, x)[0])
    if sys.argv[1] == "jax":
        import jax
        return float(jax.grad(lambda x: function(x).sum())(x)[0])
    import torch
    x = torch.tensor(x, requires_grad=True)
    function(x).sum().backward()
    return float(x.grad[0])

places = [("celu", 0), ("selu", 0), ("leaky_relu", 0), ("hard_tanh", 1)]
print(json.dumps([round(slope(getattr(keras.activations, name), at), 2) for name, at in places]))
"""
found = {}
for backend in ("tensorflow", "jax", "torch"):
    done = subprocess.run([sys.executable, "-c", slope, backend], capture_output=True, text=True, check=True)
    found[backend] = json.loads(done.stdout.splitlines()[-1])
print("celu'(0), selu'(0), leaky_relu'(0), hard_tanh'(1):", found)
assert found == {"tensorflow": [2.0, 1.05, 0.2, 1.0], "jax": [1.0, 1.76, 1.0, 1.0], "torch": [1.0, 1.76, 0.2, 0.0]}
PYTHON
