"""Activation functions on PyTorch tensors: the written derivative as gradient, and nothing saved but the input."""

from __future__ import annotations

import contextlib
import inspect
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch.autograd.forward_ad import unpack_dual

from actlab.errors import InvalidFunction, InvalidInput
from actlab.functions.arrays import check_type, is_jax, is_tensorflow
from actlab.functions.backends.call import Settings, check_shapes, rule
from actlab.functions.backends.torch.blocks import in_blocks, pull_in_blocks, takes_blocks
from actlab.functions.backends.torch.call import HALF_TYPES, Call, by_parameter, pull_parameter, vjp, widened
from actlab.functions.backends.torch.gated import gated, pull_gated, takes_gate
from actlab.functions.backends.torch.namespace import OnnxNamespace, TorchNamespace
from actlab.functions.definition import Definition

Tensor = torch.Tensor


def evaluate(activation: Definition, which: str, x: Any, axis: int, key: Any, settings: Settings) -> Tensor:
    """Compute "value" or "derivative" of `x`, a tensor or something that becomes one; see `evaluation.evaluate`."""
    x = _tensor(x, settings, activation.name)
    noise = None
    if key is not None:
        if not isinstance(key, torch.Generator):
            raise InvalidFunction(
                f"{activation.name}: for PyTorch tensors the key is a torch.Generator, as "
                f"torch.Generator().manual_seed(0); it was given {type(key).__name__!r}."
            )
        noise = draw(activation, x, key)
    return compute(activation, which, x, axis, noise, settings)


def draw(activation: Definition, x: Tensor, generator: torch.Generator | None) -> Tensor:
    """Draw the noise of a stochastic function; without a generator from PyTorch's global one."""
    dtype = _work_type(x)
    if generator is not None and generator.device.type != x.device.type:
        raise InvalidFunction(
            f"{activation.name}: the tensor is on {x.device.type!r} and its generator on {generator.device.type!r}; "
            f"torch.Generator(device={x.device.type!r}) makes one that fits."
        )
    # ONNX knows no generator: not even that there is none may be said to its exporter.
    given: dict[str, Any] = {} if generator is None else {"generator": generator}
    if activation.noise == "normal":
        return torch.randn(x.shape, dtype=dtype, device=x.device, **given)
    if activation.noise == "uniform":
        return torch.rand(x.shape, dtype=dtype, device=x.device, **given)
    # −ln of an exponential variate is Gumbel's, and finite.
    return -torch.empty(x.shape, dtype=dtype, device=x.device).exponential_(**given).log()


def in_a_trace() -> contextlib.AbstractContextManager[Any]:
    """Let numbers of units and axes be read: a trace fixes them, of which PyTorch warns; a batch size is never read."""
    return _without_warning() if torch.jit.is_tracing() else contextlib.nullcontext()  # pyright: ignore[reportPrivateImportUsage]


@contextlib.contextmanager
def _without_warning() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # pyright: ignore[reportPrivateImportUsage]
        yield


def compute(
    activation: Definition, which: str, x: Tensor, axis: int, noise: Tensor | None, settings: Settings
) -> Tensor:
    """Compute "value" or "derivative" of a tensor, the noise drawn and the parameters checked."""
    with in_a_trace():
        check_type(x, activation.name)
        if torch.compiler.is_compiling():  # which does not trace NumPy's functions of shapes
            axis = axis if axis < 0 else axis - x.ndim
        else:
            axis = check_shapes(activation, tuple(x.shape), axis, settings)
        tensors, constants = {}, {}
        for name, value in settings.items():
            if isinstance(value, Tensor):  # `as_tensor` would make a constant of it in a trace
                tensors[name] = value.to(dtype=_work_type(x), device=x.device)
            elif isinstance(value, np.ndarray):
                tensors[name] = torch.as_tensor(value, dtype=_work_type(x), device=x.device)
            else:
                constants[name] = value
        if noise is not None:
            tensors["noise"] = noise
        call = Call(activation, axis, constants, tuple(tensors))
        try:
            if which == "derivative":
                return _derivative(call, x, tuple(tensors.values()))
            return _value(call, x, tuple(tensors.values()))
        except AttributeError as error:
            if "namespace for PyTorch" not in str(error):
                raise
            raise InvalidFunction(f"{activation.name} cannot take a PyTorch tensor: {error}") from None


def _tensor(x: Any, settings: Settings, function: str) -> Tensor:
    """Take the input as a tensor; numbers and lists become float64, beside the parameters that are tensors."""
    if isinstance(x, Tensor):
        return x
    if is_jax(x) or is_tensorflow(x):
        raise InvalidInput(f"{function}: input and parameters belong to different libraries: {type(x).__name__!r}.")
    from actlab.functions.arrays import float_array

    beside = [value.device for value in settings.values() if isinstance(value, Tensor)]
    return torch.as_tensor(float_array(x, np, function), device=beside[0] if beside else None)


def _work_type(x: Tensor) -> torch.dtype:
    return torch.float32 if x.dtype in HALF_TYPES else x.dtype


def _value(call: Call, x: Tensor, tensors: tuple[Tensor, ...]) -> Tensor:
    if call.activation.derivative_rule is None:
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
    work = widened(x)
    result = call.value(work, _namespace(x), call.settings(tensors))
    # The result of a custom function must not be its input.
    return torch.clone(result) if result is x else result.to(x.dtype)


def _namespace(x: Tensor) -> TorchNamespace:
    recorded = torch.compiler.is_compiling() or torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]
    return (OnnxNamespace if recorded and torch.onnx.is_in_onnx_export() else TorchNamespace)(x.device)


def _derivative(call: Call, x: Tensor, tensors: tuple[Tensor, ...]) -> Tensor:
    if takes_blocks(call, x, *tensors) and not _tracked(x, *tensors):
        return in_blocks(call, "derivative", x, tensors)
    work, xp, settings = widened(x), _namespace(x), call.settings(tensors)
    if call.activation.kind == "grouping":
        return rule(call.activation, "derivative")(work, xp, call.axis, settings).to(x.dtype)
    return call.slope(work, xp, settings).to(x.dtype)


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
    work, xp, settings = widened(x), TorchNamespace(x.device), call.settings(tensors)
    wide = gradient.to(work.dtype)
    pulled: list[Tensor | None] = [None] * (1 + len(tensors))
    if needed[0]:
        if call.activation.kind == "grouping":
            pull = vjp(lambda t: call.push(work, t, xp, settings), torch.zeros_like(work))[1]
            pulled[0] = pull(wide)[0].to(x.dtype)
        else:
            pulled[0] = (call.slope(work, xp, settings) * wide).to(x.dtype)
    for i, (name, tensor) in enumerate(zip(call.names, tensors, strict=True)):
        if needed[1 + i]:
            pulled[1 + i] = pull_parameter(call, name, wide, work, tensor, xp, settings)
    return pulled


def _push(call: Call, tangents: tuple[Any, ...], x: Tensor, tensors: tuple[Tensor, ...]) -> Tensor:
    """The directional derivative along tangents of the input and of the tensors, None where there is none."""
    work, xp, settings = widened(x), TorchNamespace(x.device), call.settings(tensors)
    total: Any = 0.0
    if tangents[0] is not None:
        along = tangents[0].to(work.dtype)
        grouping = call.activation.kind == "grouping"
        total = call.push(work, along, xp, settings) if grouping else call.slope(work, xp, settings) * along
    for name, tensor, along in zip(call.names, tensors, tangents[1:], strict=True):
        if along is None or name == "noise":
            continue
        written = call.activation.parameter_derivatives.get(name)
        if written is not None and call.activation.kind != "grouping":
            total = total + written(work, xp, **settings) * along
        else:
            # Forward mode does not nest outside of torch.func: the transpose of the transpose is the same.
            result, pull = vjp(by_parameter(call, name, work, xp, settings), tensor)
            _, back = vjp(lambda u, pull=pull: pull(u)[0], torch.zeros_like(result))
            total = total + back(along)[0]
    return total.to(x.dtype)
