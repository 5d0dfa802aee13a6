#!/usr/bin/env bash
# torch.nn.functional.hardswish is infinite from 5.7e37 on in bfloat16 and float32, where x is the right answer.
#
# x times min(x + 3, 6) is computed before the division by 6. bfloat16 has float32's range so that activations may
# be large; SiLU, ReLU and Mish return x there.
#
# Seen with torch 2.13.0: hardswish(6e37) = inf, silu(6e37) = 6e37.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0 numpy
env/bin/python - <<'PYTHON'
import torch
from torch.nn import functional

for kind in (torch.bfloat16, torch.float32):
    x = torch.tensor([6e37], dtype=kind)
    print(kind, "hardswish", functional.hardswish(x).item(), "silu", functional.silu(x).item())
    assert torch.isinf(functional.hardswish(x)).all()
    assert torch.equal(functional.silu(x), x)
    assert torch.equal(functional.mish(x), x)
PYTHON
