"""The door to PyTorch: the functions of the catalogue as modules, as plain functions, and in place of a model's own.

>>> import torch
>>> import actlab.torch
>>> layer = actlab.torch.Activation("mish")
>>> layer(torch.tensor([-1.0, 0.0, 1.0]))
tensor([-0.3034,  0.0000,  0.8651])
"""

from __future__ import annotations

try:
    import torch as _  # noqa: F401
except ImportError as error:
    from actlab.errors import MissingExtra

    raise MissingExtra('actlab.torch needs PyTorch, which is not installed: pip install "actlab[torch]"') from error

from importlib import import_module
from typing import Any

from actlab.torch import functional
from actlab.torch.module import Activation
from actlab.torch.swap import Swapped, swap

__all__ = ["Activation", "Swapped", "compare", "functional", "swap"]  # pyright: ignore[reportUnsupportedDunderAll]

# What lies in the laboratory, far to the right of the doors, and is found here when it is first asked for.
_HOMES = {"compare": "actlab.laboratory.own_loop.in_torch"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'actlab.torch' has no attribute {name!r}; it has: {', '.join(__all__)}")
    return getattr(import_module(_HOMES[name]), name)
