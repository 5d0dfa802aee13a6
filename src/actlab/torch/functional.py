"""Every function of the catalogue as a function of a tensor, under its name and its aliases.

>>> import torch
>>> from actlab.torch.functional import leaky_relu
>>> leaky_relu(torch.tensor([-1.0, 2.0]), negative_slope=0.2)
tensor([-0.2000,  2.0000])
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from torch.overrides import handle_torch_function

from actlab.errors import InvalidInput, UnknownName
from actlab.functions import catalogue
from actlab.functions.activation import Activation


def __getattr__(name: str) -> Callable[..., torch.Tensor]:
    try:
        if name.startswith("_"):
            raise UnknownName("activation", name, ())
        return function_of(catalogue[name])
    except UnknownName:
        near = difflib.get_close_matches(name, __dir__(), n=1)
        hint = f"did you mean {near[0]!r}?" if near else "actlab.functions.catalogue lists what there is."
        raise AttributeError(f"module {__name__!r} has no function {name!r}; {hint}", name=name) from None


def __dir__() -> list[str]:
    return sorted({*catalogue, *(alias for entry in catalogue.values() for alias in entry.aliases)})


def stands_for_a_tensor(x: Any) -> bool:
    """Say whether `x` is no tensor but takes part in PyTorch's protocol for what stands for one, as torch.fx's Proxy.

    >>> stands_for_a_tensor(torch.ones(1)), stands_for_a_tensor(1.0)
    (False, False)
    """
    return not isinstance(x, torch.Tensor) and hasattr(type(x), "__torch_function__")


@lru_cache(maxsize=1024)
def function_of(activation: Activation) -> Callable[..., torch.Tensor]:
    """Make the function; the same object each time, as pickle asks for."""

    def function(x: torch.Tensor, /, *, axis: int = -1, key: Any = None, **parameters: Any) -> torch.Tensor:
        standing_in = [value for value in (x, *parameters.values()) if stands_for_a_tensor(value)]
        if standing_in:
            given = ({} if axis == -1 else {"axis": axis}) | ({} if key is None else {"key": key}) | parameters
            return handle_torch_function(function, standing_in, x, **given)
        if not isinstance(x, torch.Tensor):
            raise InvalidInput(f"{activation.name} takes a torch.Tensor here; it was given {type(x).__name__!r}.")
        return activation(x, axis=axis, key=key, **parameters)

    function.__name__ = function.__qualname__ = activation.name
    given = "".join(f", {parameter.name}={parameter.default}" for parameter in activation.parameters)
    function.__doc__ = f"{activation.title}: {activation.formula.plain}.\n\nCalled as {activation.name}(x{given})."
    return function
