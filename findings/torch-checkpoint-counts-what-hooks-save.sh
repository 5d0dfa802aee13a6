#!/usr/bin/env bash
# A forward hook that differentiates a detached copy of its input, as one that measures slopes does, breaks checkpoints.
#
# torch.utils.checkpoint(use_reentrant=False) counts every tensor that autograd saves within its region, those of graphs
# that a hook makes and throws away too. When the region is computed again and the hook looks no more than once, the
# counts differ, and backward() of the user's own loss raises. Saved-tensor hooks of its own around what the hook does
# take it out of the count.
#
# Seen with torch 2.13.0: CheckpointError, "A different number of tensors was saved"; none with the hooks, the same
# gradients as without any measuring.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0 numpy
env/bin/python - <<'PYTHON'
import contextlib

import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.checkpoint import CheckpointError, checkpoint


def gradients(measured, apart):
    torch.manual_seed(0)
    first, act, last = nn.Linear(3, 6), nn.GELU(), nn.Linear(6, 1)
    slopes = []

    def measure(module, inputs):
        if slopes or not measured:
            return  # Once a step is enough.
        own = inputs[0].detach().requires_grad_()
        hooks = saved_tensors_hooks(lambda kept: kept, lambda kept: kept) if apart else contextlib.nullcontext()
        with torch.enable_grad(), hooks:
            slopes.append(torch.autograd.grad(nn.functional.gelu(own).sum(), own)[0])

    act.register_forward_pre_hook(measure)
    last(checkpoint(act, first(torch.ones(4, 3)), use_reentrant=False)).sum().backward()
    return first.weight.grad


plain = gradients(False, False)
assert torch.equal(gradients(True, True), plain)
try:
    gradients(True, False)
except CheckpointError as error:
    print("CheckpointError:", str(error).splitlines()[0])
else:
    raise SystemExit("the checkpoint no longer counts what hooks save")
PYTHON
