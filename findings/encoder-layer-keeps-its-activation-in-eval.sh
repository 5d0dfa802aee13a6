#!/usr/bin/env bash
# nn.TransformerEncoderLayer computes its old activation in eval(), after another one was put into layer.activation.
#
# The fused path of inference asks a flag that the constructor set from its argument (1 for ReLU, 2 for GELU), not
# the module that stands there. With gradients, or in train(), the new activation is used: a model is trained with
# one function and served with another. layer.activation_relu_or_gelu = 0 turns the fused path off.
#
# Seen with torch 2.13.0: eval() under no_grad gives the same bits as before the swap, with gradients other ones.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0 numpy
env/bin/python - <<'PYTHON'
import torch

torch.manual_seed(0)
layer = torch.nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, activation="relu", batch_first=True).eval()
x = torch.randn(2, 5, 8)
with torch.no_grad():
    before = layer(x)
layer.activation = torch.nn.Tanh()
with torch.no_grad():
    served = layer(x)
trained = layer(x).detach()
print("served equals the old one:", torch.equal(served, before), "with gradients it differs by", float((trained - before).abs().max()))
assert torch.equal(served, before)
assert (trained - before).abs().max() > 0.01
layer.activation_relu_or_gelu = 0
with torch.no_grad():
    assert torch.allclose(layer(x), trained, atol=1e-6)
PYTHON
