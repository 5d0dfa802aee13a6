#!/usr/bin/env bash
# jax.nn.gelu has the slope NaN at inputs of 1e30, where its value is right; squareplus is infinite there and has the slope 0.5.
#
# The tanh form cubes its input, which overflows; infinity times zero is NaN in the backward pass alone. One
# exploded activation makes all gradients NaN, while the forward pass looks healthy. jax.nn.gelu(x,
# approximate=False) has the slopes 0 and 1 there.
#
# Seen with jax 0.10.2: gelu(1e30) = 1e30, slope nan; squareplus(1e30) = inf, slope 0.5.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check jax==0.10.2
env/bin/python - <<'PYTHON'
import jax
import numpy as np

x = np.float32([-1e30, 1e30])
slopes = {name: jax.vmap(jax.grad(f))(x) for name, f in {
    "gelu": jax.nn.gelu,
    "gelu, erf": lambda x: jax.nn.gelu(x, approximate=False),
    "squareplus": jax.nn.squareplus,
}.items()}
print("values", jax.nn.gelu(x), jax.nn.squareplus(x), "slopes", slopes)
assert np.array_equal(jax.nn.gelu(x), np.float32([0, 1e30]))
assert np.isnan(slopes["gelu"]).all()
assert np.array_equal(slopes["gelu, erf"], [0, 1])
assert np.isinf(jax.nn.squareplus(x)).all()
assert np.array_equal(slopes["squareplus"], [0.5, 0.5])
PYTHON
