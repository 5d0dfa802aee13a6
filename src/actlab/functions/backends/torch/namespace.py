"""PyTorch's operations under NumPy's names: the namespace `xp` that the rules of the functions get with tensors.

Numbers are weak: they never change the type of a tensor. NaN propagates everywhere. Where `maximum`, `minimum` and
`clip` have a kink, the derivative is that of the piece on the left, as everywhere in the catalogue; PyTorch's own
`clamp` takes the piece inside on both sides.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from actlab.functions.backends.bounds import Bounds
from actlab.functions.backends.call import MissingOperation
from actlab.functions.numerics import absolute, exponential_minus_one, is_single, polynomial

# How far to both sides of 0 `OnnxNamespace.log1p` is a series.
_SERIES = 0.4


def _unary(name: str) -> Any:
    """An operation under its name, which PyTorch shares with NumPy; of a number it makes a number."""
    of_tensor = getattr(torch, name)

    def operation(x: Any) -> Any:
        return of_tensor(x) if isinstance(x, torch.Tensor) else float(getattr(np, name)(x))

    return staticmethod(operation)


def _over_axes(operation: Callable[..., Any], every: Any = None) -> Any:
    """An operation over one axis, several or all, with NumPy's names; `every` stands for all of them in PyTorch."""
    return staticmethod(
        lambda x, axis=None, keepdims=False: operation(x, dim=every if axis is None else axis, keepdim=keepdims)
    )


class TorchNamespace(Bounds):
    """NumPy's names for the operations of PyTorch, on one device.

    >>> xp = TorchNamespace(torch.device("cpu"))
    >>> xp.maximum(torch.tensor([-1.0, torch.nan, 2.0]), 0.0)
    tensor([0., nan, 2.])
    """

    pi, e, inf, nan = 3.141592653589793, 2.718281828459045, float("inf"), float("nan")
    float32, float64 = torch.float32, torch.float64

    exp, expm1, log, log1p = map(_unary, ("exp", "expm1", "log", "log1p"))
    exp2, log2, log10, sqrt = map(_unary, ("exp2", "log2", "log10", "sqrt"))
    square, reciprocal, negative, abs = map(_unary, ("square", "reciprocal", "negative", "abs"))
    sin, cos, tan, sinh, cosh, tanh = map(_unary, ("sin", "cos", "tan", "sinh", "cosh", "tanh"))
    arcsin, arccos, arctan = map(_unary, ("arcsin", "arccos", "arctan"))
    arcsinh, arccosh, arctanh = map(_unary, ("arcsinh", "arccosh", "arctanh"))
    floor, ceil, round = map(_unary, ("floor", "ceil", "round"))
    isnan, isinf, isfinite = map(_unary, ("isnan", "isinf", "isfinite"))
    logical_and, logical_or = staticmethod(torch.logical_and), staticmethod(torch.logical_or)
    logical_not = staticmethod(torch.logical_not)
    zeros_like, ones_like = staticmethod(torch.zeros_like), staticmethod(torch.ones_like)
    full_like, reshape = staticmethod(torch.full_like), staticmethod(torch.reshape)
    power, finfo = staticmethod(torch.pow), staticmethod(torch.finfo)
    moveaxis, swapaxes = staticmethod(torch.movedim), staticmethod(torch.swapaxes)
    broadcast_to = staticmethod(torch.broadcast_to)
    # PyTorch's own sign of NaN is 0.
    sign = staticmethod(lambda x: torch.where(x == x, torch.sign(x), x))
    sum, mean = _over_axes(torch.sum), _over_axes(torch.mean)
    # Equal ones share the gradient.
    max, min = _over_axes(torch.amax, ()), _over_axes(torch.amin, ())
    # In ascending order, NaN last.
    sort = staticmethod(lambda x, axis=-1: torch.sort(x, dim=axis).values)
    cumsum = staticmethod(lambda x, axis: torch.cumsum(x, dim=axis))
    concatenate = staticmethod(lambda arrays, axis=0: torch.cat(tuple(arrays), dim=axis))
    stack = staticmethod(lambda arrays, axis=0: torch.stack(tuple(arrays), dim=axis))

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def __getattr__(self, name: str) -> Any:
        offered = [known for known in dir(type(self)) if not known.startswith("_")]
        near = difflib.get_close_matches(name, offered, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"it has: {', '.join(offered)}."
        raise MissingOperation(f"actlab's namespace for PyTorch has no {name!r}; {hint}")

    def is_tensor(self, x: Any) -> bool:
        """Say whether `x` is a tensor of PyTorch."""
        return isinstance(x, torch.Tensor)

    def where(self, condition: Any, chosen: Any, other: Any) -> Any:
        """`chosen` where the condition holds, else `other`; a condition of plain numbers chooses as a whole."""
        if isinstance(condition, torch.Tensor):
            return torch.where(condition, chosen, other)
        return chosen if condition else other

    def eye(self, n: int, dtype: Any = None) -> Any:
        """The identity matrix, where the tensors are."""
        return torch.eye(n, dtype=dtype, device=self.device)

    def arange(self, *bounds: int, dtype: Any = None) -> Any:
        """Whole numbers in order, where the tensors are."""
        return torch.arange(*bounds, dtype=dtype, device=self.device)

    def asarray(self, x: Any, dtype: Any = None) -> Any:
        """A tensor with these elements, where the tensors are."""
        return torch.as_tensor(x, dtype=dtype, device=self.device)


class OnnxNamespace(TorchNamespace):
    """The same for a graph that goes to ONNX, which has neither log1p nor expm1.

    PyTorch's exporters write log(1 + x) and exp(x) − 1, which are 0 beside 0; here both keep their digits.
    """

    def log1p(self, x: Any) -> Any:
        """log(1 + x); beside 0 twice the inverse hyperbolic tangent of s = x/(2 + x), as a series in s²."""
        if not isinstance(x, torch.Tensor):
            return super().log1p(x)
        near = self.clip(x, -_SERIES, _SERIES)
        ratio = near / (2.0 + near)
        terms = 7 if is_single(x) else 14
        series = polynomial(ratio * ratio, tuple(2.0 / (2 * k + 1) for k in reversed(range(terms))))
        return torch.where(near == x, ratio * series, torch.log(1.0 + x))

    def expm1(self, x: Any) -> Any:
        """exp(x) − 1; to the right of 0 it is −exp(x)·(exp(−x) − 1)."""
        if not isinstance(x, torch.Tensor):
            return super().expm1(x)
        falling = exponential_minus_one(-absolute(x, self), self)
        return torch.where(x > 0, -falling * torch.exp(x), falling)


class QuickNamespace(TorchNamespace):
    """The same values from fewer passes over the data, for where nothing is differentiated."""

    def maximum(self, x: Any, other: Any) -> Any:
        """The larger one."""
        return _bound(torch.maximum, "min", x, other)

    def minimum(self, x: Any, other: Any) -> Any:
        """The smaller one."""
        return _bound(torch.minimum, "max", x, other)

    def clip(self, x: Any, low: Any = None, high: Any = None) -> Any:
        """x between `low` and `high`, each a number, a tensor or None."""
        if any(isinstance(bound, torch.Tensor) for bound in (low, high)) or not isinstance(x, torch.Tensor):
            return super().clip(x, low, high)
        return torch.clamp(x, low, high)


def _bound(of_tensors: Any, side: str, x: Any, other: Any) -> Any:
    """Bound tensors by tensors or numbers; `side` is what `clamp` calls the bound."""
    if not isinstance(x, torch.Tensor):
        x, other = other, x
    if isinstance(other, torch.Tensor):
        return of_tensors(x, other)
    if isinstance(x, torch.Tensor):
        return torch.clamp(x, **{side: other})
    return max(x, other) if side == "min" else min(x, other)
