"""Which of PyTorch's functions are activation functions, and what the catalogue calls them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import torch
import torch.nn.functional as F

# By the names that modules, functions and methods of PyTorch have; an underscore at the end is the same in place.
_NAMES = {
    "relu": "relu", "relu6": "relu6", "leaky_relu": "leaky_relu", "elu": "elu", "selu": "selu", "celu": "celu",
    "gelu": "gelu", "silu": "silu", "mish": "mish", "softplus": "softplus", "sigmoid": "sigmoid", "tanh": "tanh",
    "hardtanh": "hard_tanh", "hardsigmoid": "hard_sigmoid", "hardswish": "hard_swish", "softsign": "softsign",
    "tanhshrink": "tanh_shrink", "logsigmoid": "log_sigmoid", "prelu": "prelu", "rrelu": "rrelu",
    "threshold": "threshold", "softshrink": "soft_shrink", "hardshrink": "hard_shrink", "expit": "sigmoid",
    "sin": "sine", "sinc": "sinc",
}  # fmt: skip


def _functions() -> dict[Callable[..., Any], str]:
    found: dict[Callable[..., Any], str] = {}
    for home in (torch, F, torch.Tensor, torch.special):
        for name, ours in _NAMES.items():
            for own in (name, f"{name}_"):
                function = getattr(home, own, None)
                if callable(function):
                    found[function] = ours
    return found


#: Function or method of PyTorch → name in the catalogue.
FUNCTIONS: Mapping[Callable[..., Any], str] = MappingProxyType(_functions())
#: After these the units are on the second axis, after the others on the last.
CHANNELS_SECOND = frozenset(
    function
    for home in (torch, F)
    for name in (
        *("conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"),
        *("batch_norm", "instance_norm", "group_norm"),
    )
    if (function := getattr(home, name, None)) is not None
)
CHANNELS_LAST = frozenset(
    function
    for home in (torch, F, torch.Tensor)
    for name in ("linear", "matmul", "bmm", "addmm", "layer_norm", "rms_norm", "embedding", "bilinear", "__matmul__")
    if (function := getattr(home, name, None)) is not None
)
#: What hides functions inside, which no hook reaches.
HIDING = MappingProxyType(
    {
        "RNN": "its function between steps is inside PyTorch's own code",
        "GRU": "its gates are inside PyTorch's own code",
        "LSTM": "its gates are inside PyTorch's own code",
        "ScriptModule": "a scripted or traced module runs its functions outside of Python",
    }
)
