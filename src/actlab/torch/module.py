"""An activation function as a module of PyTorch, with its trainable parameters."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.fx import Proxy, Tracer

from actlab.errors import InvalidFunction, InvalidInput
from actlab.functions import catalogue
from actlab.functions.activation import Activation as Function
from actlab.functions.backends.evaluation import prepared
from actlab.functions.backends.torch import autograd
from actlab.functions.definition import Parameter
from actlab.torch.functional import function_of, stands_for_a_tensor


class Activation(nn.Module):
    """A function of the catalogue as a layer.

    Args:
        name: a name or alias in the catalogue, or one of its functions.
        units: None for one trainable number each, or how many units there are: every unit then has its own, of shape
            (units,). Functions with weights need it.
        axis: the axis of the units: −1 (what it is if nothing is said) for features last, 1 for images with channels
            first.
        generator: where a stochastic function draws from in training; else PyTorch's global generator. In
            evaluation nothing is drawn.
        inplace: a hint about memory, as builders of networks give it to any activation; nothing is computed in place.
        dim: PyTorch's name for `axis`.
        num_parameters: PyTorch's name, in PReLU, for `units` along axis 1, of which 1 means one number for all.
        device, dtype: of the trainable parameters.
        **parameters: values of the fixed parameters, and where the trainable ones start.

    Raises:
        UnknownName: there is no such function.
        InvalidFunction: parameters or `units` that do not fit the function.

    >>> Activation("prelu", units=3, axis=1)
    Activation('prelu', units=3, axis=1, negative_slope=0.25)
    >>> [tuple(parameter.shape) for parameter in Activation("prelu", units=3).parameters()]
    [(3,)]

    Where a builder asks for a class and calls it with `inplace=True`:

    >>> from functools import partial
    >>> partial(Activation, "silu")(inplace=True)
    Activation('silu')
    """

    def __init__(
        self,
        name: str | Function,
        units: int | None = None,
        axis: int | None = None,
        generator: torch.Generator | None = None,
        *,
        inplace: bool = False,
        dim: int | None = None,
        num_parameters: int | None = None,
        device: Any = None,
        dtype: torch.dtype | None = None,
        **parameters: Any,
    ) -> None:
        super().__init__()
        function = name if isinstance(name, Function) else catalogue[name]
        units, axis = _by_either_name(function.name, units, axis, dim, num_parameters)
        if function.name == "gelu" and parameters.get("approximate") in ("none", "tanh"):
            parameters = _without_approximate(parameters)
        if units is not None and (isinstance(units, bool) or not isinstance(units, int) or units < 1):
            raise InvalidFunction(f"{function.name}: units must be a whole number above 0; it was given {units!r}.")
        if generator is not None and function.noise is None:
            raise InvalidFunction(f"{function.name} draws nothing at random and takes no generator.")
        self.name, self.units, self.axis, self.generator = function.name, units, axis, generator
        # The name alone is kept of a function of the catalogue, so that the module can be pickled.
        self._own = None if catalogue.get(function.name) is function else function
        weights = [parameter for parameter in function.parameters if parameter.shape is not None]
        drawn = {parameter.name: self._weights(parameter) for parameter in weights if parameter.name not in parameters}
        start = function.settings({**drawn, **parameters})
        self._constants: dict[str, Any] = {}
        for parameter in function.parameters:
            value = start[parameter.name]
            if parameter.trainable or parameter.shape is not None:
                self.register_parameter(parameter.name, nn.Parameter(self._started(parameter, value)))
            else:
                self._constants[parameter.name] = value
        self._start = {key: value for key, value in start.items() if isinstance(value, (int, float))}
        self.to(device=device, dtype=dtype)

    @property
    def function(self) -> Function:
        """The function of the catalogue."""
        return self._own or catalogue[self.name]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return f(x), in the type of `x`."""
        if not isinstance(x, torch.Tensor):
            return self._recorded(x)
        return autograd.around(self.name, self._computed, x)

    def _computed(self, x: torch.Tensor) -> torch.Tensor:
        function = self.function
        settings = {
            parameter.name: self._constants[parameter.name]
            if parameter.name in self._constants
            else self._placed(parameter, x)
            for parameter in function.parameters
        }
        x = autograd.array(x, self.name, settings)
        noise = autograd.draw(function, self.generator, x) if function.noise and self.training else None
        call, tensors = prepared(autograd, function, x, self.axis, noise, settings)
        return autograd.value(call, x, tensors)

    def _recorded(self, x: Any) -> Any:
        """Leave this module as one node to torch.fx, which traces what it does not know to be a leaf."""
        if not stands_for_a_tensor(x):
            raise InvalidInput(f"{self.name} takes a torch.Tensor here; it was given {type(x).__name__!r}.")
        if isinstance(x, Proxy) and isinstance(x.tracer, Tracer):
            path = x.tracer.path_of_module(self)
            if path:
                return x.tracer.create_proxy("call_module", path, (x,), {})
        if self.units is not None or (self.function.noise and self.training):
            raise InvalidFunction(
                f"{self.name}: with parameters for each unit, or with noise, this module takes a {type(x).__name__!r} "
                f"only as a part of a model that torch.fx traces: trace torch.nn.Sequential({self!r})."
            )
        settings = {parameter.name: self._value(parameter) for parameter in self.function.parameters}
        return function_of(self.function)(x, axis=self.axis, **settings)

    def _value(self, parameter: Parameter) -> Any:
        return self._constants.get(parameter.name, getattr(self, parameter.name, None))

    def extra_repr(self) -> str:
        """The arguments."""
        parts = [repr(self.name)]
        parts += [] if self.units is None else [f"units={self.units}"]
        parts += [] if self.axis == -1 else [f"axis={self.axis}"]
        return ", ".join([*parts, *(f"{name}={value:g}" for name, value in self._start.items())])

    def _weights(self, parameter: Parameter) -> torch.Tensor:
        if self.units is None:
            raise InvalidFunction(
                f"{self.name} has weights {parameter.name!r} whose shape depends on the number of units: give units=."
            )
        return parameter.start(self.units, lambda shape, root: torch.empty(shape).uniform_(-1.0, 1.0) / root)

    def _started(self, parameter: Parameter, value: Any) -> torch.Tensor:
        tensor = torch.as_tensor(value, dtype=None if isinstance(value, torch.Tensor) else torch.get_default_dtype())
        tensor = tensor.detach().clone()
        if self.units is None or parameter.shape is not None:
            return tensor
        if tensor.numel() != 1 and tuple(tensor.shape) != (self.units,):
            raise InvalidFunction(
                f"{self.name}: {parameter.name!r} for {self.units} units starts from one number or from "
                f"{self.units}; it was given shape {tuple(tensor.shape)}."
            )
        return tensor.reshape(-1).expand(self.units).clone()

    def _placed(self, parameter: Parameter, x: torch.Tensor) -> torch.Tensor:
        """The trainable parameter, those of the units moved to the axis of the units."""
        tensor = getattr(self, parameter.name)
        if self.units is None or parameter.shape is not None:
            return tensor
        axis = self.axis if self.axis < 0 else self.axis - x.ndim
        if not -x.ndim <= axis < 0 or x.shape[axis] != self.units:
            raise InvalidFunction(
                f"{self.name} was made for {self.units} units along axis {self.axis}; the input's shape is "
                f"{tuple(x.shape)}."
            )
        return tensor.reshape(self.units, *(1,) * (-axis - 1))


def _by_either_name(
    function: str, units: int | None, axis: int | None, dim: int | None, num_parameters: int | None
) -> tuple[int | None, int]:
    """Units and axis, of which each may have PyTorch's name."""
    for ours, given, theirs, other in (("axis", axis, "dim", dim), ("units", units, "num_parameters", num_parameters)):
        if given is not None and other is not None:
            raise InvalidFunction(
                f"{function}: {theirs!r} is another name of {ours!r}; both were given: leave one out."
            )
    if num_parameters is not None:
        # As in PReLU, whose channels come second.
        units, axis = None if num_parameters == 1 else num_parameters, 1 if axis is None and dim is None else axis
    axis = dim if axis is None else axis
    return units, -1 if axis is None else axis


def _without_approximate(parameters: dict[str, Any]) -> dict[str, Any]:
    """PyTorch's GELU has two forms, which are two functions here."""
    if parameters["approximate"] == "tanh":
        raise InvalidFunction("gelu: its approximation by tanh is a function of its own here: take 'gelu_tanh'.")
    return {name: value for name, value in parameters.items() if name != "approximate"}
