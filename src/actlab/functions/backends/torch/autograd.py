"""Activation functions on PyTorch tensors: the written derivative as gradient, and nothing saved but the input."""

from __future__ import annotations

import contextlib
import inspect
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch.autograd.forward_ad import unpack_dual

from actlab.errors import InvalidFunction
from actlab.functions.arrays import check_type, float_array, is_jax, is_tensorflow
from actlab.functions.backends.call import Call, MissingOperation, Settings, check_shapes, foreign
from actlab.functions.backends.torch.blocks import in_blocks, pull_in_blocks, takes_blocks
from actlab.functions.backends.torch.gated import gated, pull_gated, takes_gate
from actlab.functions.backends.torch.gradients import of_parameter, pull_parameter, transposed, vjp, work_type
from actlab.functions.backends.torch.namespace import OnnxNamespace, TorchNamespace
from actlab.functions.definition import Definition

Tensor = torch.Tensor


def around(function: str, step: Callable[..., Any], *arguments: Any) -> Any:
    """Let numbers of units and axes be read: a trace fixes them, of which PyTorch warns; a batch size is never read."""
    tracing = torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]
    with _without_warning() if tracing else contextlib.nullcontext():
        try:
            return step(*arguments)
        except MissingOperation as error:
            raise InvalidFunction(f"{function} cannot take a PyTorch tensor: {error}") from None


@contextlib.contextmanager
def _without_warning() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # pyright: ignore[reportPrivateImportUsage]
        yield


def array(x: Any, function: str, settings: Settings) -> Tensor:
    """The input as a tensor; numbers and lists become float64, beside the parameters that are tensors."""
    if isinstance(x, Tensor):
        check_type(x, function)
        return x
    if is_jax(x) or is_tensorflow(x):
        raise foreign(function, x)
    beside = [value.device for value in settings.values() if isinstance(value, Tensor)]
    return torch.as_tensor(float_array(x, np, function), device=beside[0] if beside else None)


def widened(array: Tensor) -> Tensor:
    """As it is: the input in its own type is what is saved for the gradient, and what blocks are widened from."""
    return array


def place(value: Any, like: Tensor, function: str) -> Tensor:
    """A parameter in the type that the input is computed in, on its device."""
    if isinstance(value, Tensor):  # `as_tensor` would make a constant of it in a trace
        return value.to(dtype=work_type(like), device=like.device)
    if not isinstance(value, np.ndarray):
        raise foreign(function, value)
    return torch.as_tensor(value, dtype=work_type(like), device=like.device)


def axis(definition: Definition, array: Tensor, axis: int, settings: Settings) -> int:
    """The axis counted from the end, the shapes checked where NumPy's functions of shapes are not traced."""
    if torch.compiler.is_compiling():
        return axis if axis < 0 else axis - array.ndim
    return check_shapes(definition, tuple(array.shape), axis, settings)


def draw(definition: Definition, key: Any, like: Tensor) -> Tensor:
    """Noise from a generator of PyTorch; without one from the global generator."""
    if key is not None and not isinstance(key, torch.Generator):
        raise InvalidFunction(
            f"{definition.name}: for PyTorch tensors the key is a torch.Generator, as "
            f"torch.Generator().manual_seed(0); it was given {type(key).__name__!r}."
        )
    if key is not None and key.device.type != like.device.type:
        raise InvalidFunction(
            f"{definition.name}: the tensor is on {like.device.type!r} and its generator on {key.device.type!r}; "
            f"torch.Generator(device={like.device.type!r}) makes one that fits."
        )
    # ONNX knows no generator: not even that there is none may be said to its exporter.
    given: dict[str, Any] = {} if key is None else {"generator": key}
    place: dict[str, Any] = {"dtype": work_type(like), "device": like.device}
    if definition.noise == "normal":
        return torch.randn(like.shape, **place, **given)
    if definition.noise == "uniform":
        return torch.rand(like.shape, **place, **given)
    # −ln of an exponential variate is Gumbel's, and finite.
    return -torch.empty(like.shape, **place).exponential_(**given).log()


def value(call: Call, x: Tensor, tensors: tuple[Tensor, ...]) -> Tensor:
    """The value, by the quickest way that keeps what watches it content."""
    if not call.is_written:
        return _forward(call, x, tensors)
    if not torch.compiler.is_compiling():
        # What a trace records is saved; of a custom function it would be a call of Python.
        if torch.jit.is_tracing():  # pyright: ignore[reportPrivateImportUsage]
            return _forward(call, x, tensors)
        if takes_blocks(call, x, *tensors) and not _tracked(x, *tensors):
            return in_blocks(call, "value", x, tensors)
        if takes_gate(call, x) and not _tracked(x):
            return gated(call, x)
        return _Eager.apply(call, x, *tensors)  # pyright: ignore[reportReturnType]
    # Dynamo miscounts the arguments of a custom function that nothing asks a gradient of.
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (x, *tensors)):
        return _Compiled.apply(call, x, *tensors)  # pyright: ignore[reportReturnType]
    return _forward(call, x, tensors)


def _tracked(*tensors: Tensor) -> bool:
    """Say whether anything asks for a derivative, backward or forward."""
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
        return True
    return any(unpack_dual(tensor).tangent is not None for tensor in tensors)


def _forward(call: Call, x: Tensor, tensors: tuple[Tensor, ...]) -> Tensor:
    work = x.to(work_type(x))
    result = call.value(work, _namespace(x), call.settings(tensors))
    # The result of a custom function must not be its input.
    return torch.clone(result) if result is x else result.to(x.dtype)


def _namespace(x: Tensor) -> TorchNamespace:
    recorded = torch.compiler.is_compiling() or torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]
    return (OnnxNamespace if recorded and torch.onnx.is_in_onnx_export() else TorchNamespace)(x.device)


def derivative(call: Call, x: Tensor, tensors: tuple[Tensor, ...]) -> Tensor:
    """The derivative, automatic where none is written."""
    if takes_blocks(call, x, *tensors) and not _tracked(x, *tensors):
        return in_blocks(call, "derivative", x, tensors)
    work, xp, settings = x.to(work_type(x)), _namespace(x), call.settings(tensors)
    if call.is_written:
        return call.derivative(work, xp, settings).to(x.dtype)
    result, pull = vjp(lambda x: call.value(x, xp, settings), work)
    return pull(torch.ones_like(result))[0].to(x.dtype)


def narrowed(result: Tensor, array: Tensor, given: Any) -> Tensor:
    """As it is: what computes a tensor narrows it, as it saves and differentiates the wide one."""
    return result


class _Compiled(torch.autograd.Function):
    """The value with the written derivatives as its gradient; it saves the input, parameters and noise alone.

    Dynamo traces this one: it takes no function that has a forward-mode rule of its own.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(call: Call, x: Tensor, *tensors: Tensor) -> Tensor:
        return _forward(call, x, tensors)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.call = inputs[0]
        ctx.save_for_backward(*inputs[1:])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        x, *tensors = ctx.saved_tensors
        return (None, *_pull(ctx.call, gradient, x, tuple(tensors), ctx.needs_input_grad[1:]))


class _Eager(torch.autograd.Function):
    """The same, in blocks where that pays, and with forward-mode differentiation."""

    generate_vmap_rule = True

    @staticmethod
    def forward(call: Call, x: Tensor, *tensors: Tensor) -> Tensor:
        if takes_blocks(call, x, *tensors):
            return in_blocks(call, "value", x, tensors)
        if takes_gate(call, x):
            return gated(call, x)
        return _forward(call, x, tensors)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.call = inputs[0]
        ctx.save_for_backward(*inputs[1:])
        ctx.save_for_forward(*inputs[1:])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        x, *tensors = ctx.saved_tensors
        needed = ctx.needs_input_grad[1:]
        if not torch.is_grad_enabled() and takes_blocks(ctx.call, gradient, x, *tensors):
            return (None, *pull_in_blocks(ctx.call, gradient, x, tuple(tensors), needed))
        if not torch.is_grad_enabled() and needed[0] and takes_gate(ctx.call, x, gradient):
            return (None, pull_gated(ctx.call, gradient, x))
        return (None, *_pull(ctx.call, gradient, x, tuple(tensors), needed))

    @staticmethod
    def jvp(ctx: Any, _: Any, *tangents: Any) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        x, *tensors = ctx.saved_tensors
        return _push(ctx.call, tangents, x, tuple(tensors))


# PyTorch asks for the signature at every call, which takes longer than a small tensor does.
_Eager.forward.__signature__ = inspect.signature(_Eager.forward)  # pyright: ignore[reportFunctionMemberAccess]


def _pull(
    call: Call, gradient: Tensor, x: Tensor, tensors: tuple[Tensor, ...], needed: tuple[bool, ...]
) -> list[Tensor | None]:
    """The gradient of the output carried back to the input and to each tensor that needs it."""
    work, xp, settings = x.to(work_type(x)), TorchNamespace(x.device), call.settings(tensors)
    wide = gradient.to(work.dtype)
    pulled: list[Tensor | None] = [None] * (1 + len(tensors))
    if needed[0]:
        pulled[0] = call.pull(work, wide, xp, settings, transposed).to(x.dtype)
    for i, (name, tensor) in enumerate(zip(call.names, tensors, strict=True)):
        if needed[1 + i]:
            pulled[1 + i] = pull_parameter(call, name, wide, work, tensor, xp, settings)
    return pulled


def _push(call: Call, tangents: tuple[Any, ...], x: Tensor, tensors: tuple[Tensor, ...]) -> Tensor:
    """The directional derivative along tangents of the input and of the tensors, None where there is none."""
    work, xp, settings = x.to(work_type(x)), TorchNamespace(x.device), call.settings(tensors)
    total: Any = 0.0
    if tangents[0] is not None:
        total = call.push(work, tangents[0].to(work.dtype), xp, settings)
    for name, tensor, along in zip(call.names, tensors, tangents[1:], strict=True):
        if along is None or name == "noise":
            continue
        written = call.by_parameter(name, work, xp, settings)
        if written is not None:
            total = total + written * along
        else:
            # Forward mode does not nest outside of torch.func: the transpose of the transpose is the same.
            result, pull = vjp(of_parameter(call, name, work, xp, settings), tensor)
            _, back = vjp(lambda u, pull=pull: pull(u)[0], torch.zeros_like(result))
            total = total + back(along)[0]
    return total.to(x.dtype)
