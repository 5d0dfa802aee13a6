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

from actlab.errors import InvalidInput, UnknownName
from actlab.functions import catalogue
from actlab.functions.activation import Activation


def __getattr__(name: str) -> Callable[..., torch.Tensor]:
    try:
        if name.startswith("_"):
            raise UnknownName("activation", name, ())
        return _function(catalogue[name])
    except UnknownName:
        near = difflib.get_close_matches(name, __dir__(), n=1)
        hint = f"did you mean {near[0]!r}?" if near else "actlab.functions.catalogue lists what there is."
        raise AttributeError(f"module {__name__!r} has no function {name!r}; {hint}", name=name) from None


def __dir__() -> list[str]:
    return sorted({*catalogue, *(alias for entry in catalogue.values() for alias in entry.aliases)})


@lru_cache(maxsize=1024)
def _function(activation: Activation) -> Callable[..., torch.Tensor]:
    """Make the function; the same object each time, as pickle asks for."""

    def function(x: torch.Tensor, /, *, axis: int = -1, key: Any = None, **parameters: Any) -> torch.Tensor:
        if not isinstance(x, torch.Tensor):
            raise InvalidInput(f"{activation.name} takes a torch.Tensor here; it was given {type(x).__name__!r}.")
        return activation(x, axis=axis, key=key, **parameters)

    function.__name__ = function.__qualname__ = activation.name
    given = "".join(f", {parameter.name}={parameter.default}" for parameter in activation.parameters)
    function.__doc__ = f"{activation.title}: {activation.formula.plain}.\n\nCalled as {activation.name}(x{given})."
    return function
