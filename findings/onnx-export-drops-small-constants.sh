#!/usr/bin/env bash
# torch.onnx.export, at its defaults, drops an added constant of at most 1e-8 as if it were zero.
#
# Its optimiser compares constants with 0 with an absolute tolerance of 1e-8, whatever they are multiplied with
# later. A polynomial whose coefficients carry a common small factor becomes another function: no error, no
# warning. optimize=False keeps it. Scale coefficients to ordinary size before you export.
#
# Seen with torch 2.13.0, onnx 1.23.2, onnxscript 0.7.2, onnxruntime 1.31.1: expected [1, 2, 3, 4, 5], exported [-2, -1, 0, 1, 2].
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0 onnx==1.23.2 onnxscript==0.7.2 onnxruntime==1.31.1
env/bin/python - <<'PYTHON'
import numpy as np
import onnxruntime
import torch


class Scaled(torch.nn.Module):
    def forward(self, x):
        return (x * 1e-9 + 3e-9) * 1e9


x = torch.linspace(-2, 2, 5)
found = {}
for optimise in (True, False):
    torch.onnx.export(Scaled(), (x,), "scaled.onnx", verbose=False, optimize=optimise)
    session = onnxruntime.InferenceSession("scaled.onnx")
    found[optimise] = session.run(None, {session.get_inputs()[0].name: x.numpy()})[0]
    print("optimize =", optimise, "eager", Scaled()(x).numpy(), "exported", found[optimise])
assert np.allclose(found[False], [1, 2, 3, 4, 5], rtol=1e-5)
assert np.allclose(found[True], [-2, -1, 0, 1, 2], rtol=1e-5)
PYTHON
