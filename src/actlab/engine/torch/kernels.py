"""Functions as operations of a graph: those with a written derivative and nothing to learn, on a CPU.

Traced into a graph, a rule would be its ten to a hundred operations, each through memory. As one operation it is
computed block by block, by kernels where there are some: see `actlab.functions.backends.torch`.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import torch

from actlab.custom_torch import activated
from actlab.functions import Activation, catalogue
from actlab.functions.backends.call import Call
from actlab.functions.backends.evaluation import prepared
from actlab.functions.backends.torch import autograd
from actlab.functions.backends.torch.blocks import in_blocks, pull_in_blocks

Tensor = torch.Tensor

_LIBRARY = torch.library.Library("actlab", "FRAGMENT")
_LIBRARY.define("activation(Tensor x, str function) -> Tensor")
_LIBRARY.define("carried_back(Tensor gradient, Tensor x, str function) -> Tensor")
_LIBRARY.define("noise(Tensor x, str kind, int number) -> Tensor", tags=(torch.Tag.nondeterministic_seeded,))
_OPERATIONS = torch.ops.actlab


@functools.cache
def _call(name: str) -> Call:
    function = catalogue[name]
    return prepared(autograd, function, torch.zeros(1), -1, None, function.settings({}))[0]


def _value(x: Tensor, function: str) -> Tensor:
    return in_blocks(_call(function), "value", x, ())


def _carried_back(gradient: Tensor, x: Tensor, function: str) -> Tensor:
    (found,) = pull_in_blocks(_call(function), gradient, x, (), (True,))
    assert found is not None
    return found


_LIBRARY.impl("activation", _value, "CPU")
_LIBRARY.impl("carried_back", _carried_back, "CPU")
torch.library.register_fake("actlab::activation", lambda x, function: torch.empty_like(x))
torch.library.register_fake("actlab::carried_back", lambda gradient, x, function: torch.empty_like(x))
torch.library.register_fake("actlab::noise", lambda x, kind, number: torch.empty_like(x))


def _members_first(info: Any, tensor: Tensor, axis: int | None) -> Tensor:
    if axis is None:
        return tensor.expand(info.batch_size, *tensor.shape)
    return tensor.movedim(axis, 0) if axis else tensor


class _Value(torch.autograd.Function):
    @staticmethod
    def forward(x: Tensor, function: str) -> Tensor:
        return _OPERATIONS.activation(x, function)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.function = inputs[1]
        ctx.save_for_backward(inputs[0])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return _Pull.apply(gradient, *ctx.saved_tensors, ctx.function), None

    @staticmethod
    def vmap(info: Any, axes: tuple[Any, ...], x: Tensor, function: str) -> tuple[Any, int]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return _Value.apply(_members_first(info, x, axes[0]), function), 0


class _Pull(torch.autograd.Function):
    @staticmethod
    def forward(gradient: Tensor, x: Tensor, function: str) -> Tensor:
        return _OPERATIONS.carried_back(gradient, x, function)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        pass

    @staticmethod
    def vmap(info: Any, axes: tuple[Any, ...], gradient: Tensor, x: Tensor, function: str) -> tuple[Any, int]:  # pyright: ignore[reportIncompatibleMethodOverride]
        own = (_members_first(info, tensor, axis) for tensor, axis in zip((gradient, x), axes[:2], strict=True))
        return _Pull.apply(*own, function), 0


class _Noise(torch.autograd.Function):
    @staticmethod
    def forward(x: Tensor, kind: str, number: int) -> Tensor:
        return _OPERATIONS.noise(x, kind, number)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.mark_non_differentiable(output)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return None, None, None

    @staticmethod
    def vmap(info: Any, axes: tuple[Any, ...], x: Tensor, kind: str, number: int) -> tuple[Any, int]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return _Noise.apply(_members_first(info, x, axes[0]), kind, number), 0


def value(function: Activation, x: Tensor, axis: int, own: Mapping[str, Tensor], noise: Tensor | None = None) -> Tensor:
    """f(x), as `custom_torch.activated`: one operation where it can be."""
    plain = x.device.type == "cpu" and not own and noise is None
    known = catalogue.get(function.name) is function and function.kind != "grouping"
    if plain and known and function.derivative_rule is not None:
        return _Value.apply(x, function.name)  # pyright: ignore[reportReturnType]
    return activated(function, x, axis, own, noise)


def noise_at(x: Tensor, kind: str, number: int) -> Tensor:
    """Noise like x for the function at the place of this number, which is drawn when the graph runs."""
    return _Noise.apply(x.detach(), kind, number)  # pyright: ignore[reportReturnType]


#: The operation that stands for it in a graph.
NOISE = _OPERATIONS.noise.default
