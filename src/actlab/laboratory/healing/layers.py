"""A model changed from outside, after it is built: its weights, its functions, and what stands between its layers.

Each function takes the model and gives a context; hooks are taken away at its end, what was changed in the model stays.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from actlab.errors import InvalidFunction
from actlab.functions import catalogue
from actlab.functions.measured.facts import facts
from actlab.laboratory.healing.remedy import DoesNotApply

CONVOLUTIONS = nn.modules.conv._ConvNd
WEIGHTED = (nn.Linear, CONVOLUTIONS)
_BATCH_NORMS = nn.modules.batchnorm._BatchNorm
_DROPOUTS = nn.modules.dropout._DropoutNd
# Statistics of inputs are taken over so many batches of training.
BATCHES = 50
# Groups of channels at most; Wu and He 2018, arXiv 1803.08494, take 32 of networks far wider.
GROUPS = 8


def weighted(model: nn.Module) -> list[nn.Module]:
    """Linear layers and convolutions, in the order in which the model holds them."""
    return [module for module in model.modules() if isinstance(module, WEIGHTED)]


@contextmanager
def default_start(model: nn.Module) -> Iterator[None]:
    """All layers begin with weights and biases as PyTorch draws them."""
    found = [module for module in model.modules() if callable(getattr(module, "reset_parameters", None))]
    if not found:
        raise DoesNotApply("no layer of the model says how it draws its weights.")
    for module in found:
        module.reset_parameters()  # pyright: ignore[reportCallIssue]
    yield


@contextmanager
def suited_start(model: nn.Module, function: str) -> Iterator[None]:
    """Weights of variance g²/n for the gain g of a function, biases of zero; 1/n before the first and of the last."""
    layers = weighted(model)
    if not layers:
        raise DoesNotApply("the model has neither linear layers nor convolutions.")
    gain = gain_of(function)
    with torch.no_grad():
        for place, layer in enumerate(layers):
            own: Any = layer
            inputs = own.weight[0].numel()
            inside = 0 < place < len(layers) - 1
            own.weight.normal_(0.0, (gain if inside else 1.0) / math.sqrt(inputs))
            if own.bias is not None:
                own.bias.zero_()
    yield


def gain_of(function: str) -> float:
    """By what weights are to be larger behind a function: that of its critical point, or what keeps a unit variance.

    >>> round(gain_of("relu"), 3), round(gain_of("tanh"), 3)
    (1.414, 1.0)
    """
    if function not in catalogue:
        return math.sqrt(2)
    own = facts(catalogue[function])
    if own.critical is not None:
        return own.critical.weight_std
    return float(own.gain) if own.gain else math.sqrt(2)


@contextmanager
def other_function(model: nn.Module, former: str, new: str) -> Iterator[None]:
    """Another activation function in all hidden layers, whether it is a module or called in `forward`."""
    from actlab.laboratory.healing.calls import calls, replaced
    from actlab.torch import swap

    try:
        swapped = swap(model, new)
    except InvalidFunction:
        with calls(replaced(former, new)):
            yield
        return
    del swapped  # It stays: the model is one that was built for this try.
    yield


@contextmanager
def lower_dropout(model: nn.Module, rate: float) -> Iterator[None]:
    """Rates of dropout that are higher come down to this one."""
    found = [module for module in model.modules() if isinstance(module, _DROPOUTS) and module.p > rate]
    if not found:
        raise DoesNotApply("dropout is no module of the model: lower its rate where it is called.")
    for module in found:
        module.p = rate
    yield


@contextmanager
def group_norm(model: nn.Module) -> Iterator[None]:
    """Group normalisation in the place of every batch normalisation: it needs no other sample."""
    found = [(name, module) for name, module in model.named_modules() if isinstance(module, _BATCH_NORMS)]
    if not found or any(not name for name, _ in found):
        raise DoesNotApply("batch normalisation is no module of the model.")
    for name, module in found:
        channels = module.num_features
        groups = math.gcd(channels, GROUPS) if not isinstance(module, nn.BatchNorm1d) else 1
        first = next(model.parameters())
        parent, _, own = name.rpartition(".")
        new = nn.GroupNorm(groups, channels).to(first.device, first.dtype)
        setattr(model.get_submodule(parent), own, new.train(module.training))
    yield


@contextmanager
def thawed(model: nn.Module) -> Iterator[None]:
    """All parameters train."""
    from actlab.laboratory.healing.loop import all_parameters_held

    for own in model.parameters():
        if own.is_floating_point():
            own.requires_grad_(True)
    with all_parameters_held(model):
        yield


def normalised(model: nn.Module) -> Any:
    """Layer normalisation, without parameters, behind every layer but the last."""

    def after(layer: nn.Module, _: Any, output: torch.Tensor) -> torch.Tensor:
        if isinstance(layer, CONVOLUTIONS):
            return F.group_norm(output, 1)
        return F.layer_norm(output, output.shape[-1:])

    return _behind(model, after)


def function_between(model: nn.Module, function: str) -> Any:
    """A function behind every layer but the last."""
    from actlab.torch import Activation

    activation = Activation(function)
    return _behind(model, lambda _, __, output: activation(output))


@contextmanager
def _behind(model: nn.Module, after: Callable[[nn.Module, Any, torch.Tensor], torch.Tensor]) -> Iterator[None]:
    layers = weighted(model)[:-1]
    if not layers:
        raise DoesNotApply("the model has fewer than two linear layers or convolutions.")
    handles = [layer.register_forward_hook(after) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def standardised(model: nn.Module) -> Any:
    """Inputs less their mean, over their deviation, by column, from the first batches of training."""
    return _inputs(model, _Standardised())


def finite(model: nn.Module) -> Any:
    """Numbers of the input that are none, or infinite, are zero."""
    return _inputs(model, lambda own, _: torch.nan_to_num(own, nan=0.0, posinf=0.0, neginf=0.0))


@contextmanager
def _inputs(model: nn.Module, change: Callable[[torch.Tensor, nn.Module], torch.Tensor]) -> Iterator[None]:
    """The first input of numbers goes through `change` on its way into the model."""

    def before(own: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, Any]:
        places: list[Any] = [*enumerate(arguments), *named.items()]
        place = next((key for key, one in places if isinstance(one, torch.Tensor) and one.is_floating_point()), None)
        if place is None:
            return arguments, named
        if isinstance(place, int):
            changed = [change(one, own) if key == place else one for key, one in enumerate(arguments)]
            return tuple(changed), named
        return arguments, named | {place: change(named[place], own)}

    handle = model.register_forward_pre_hook(before, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


class _Standardised:
    """Mean and deviation of every column, or channel of pictures, over the batches of training so far."""

    def __init__(self) -> None:
        self._batches = 0
        self._count = 0.0
        self._sums: tuple[torch.Tensor, torch.Tensor] | None = None

    def __call__(self, own: torch.Tensor, model: nn.Module) -> torch.Tensor:
        if own.dim() < 2:
            return own
        axis = 1 if own.dim() >= 4 else own.dim() - 1
        others = [place for place in range(own.dim()) if place != axis]
        trains = model.training and torch.is_grad_enabled()
        with torch.no_grad():
            if trains and self._batches < BATCHES:
                self._take(own.detach().double(), others)
            if self._sums is None:
                return own
            mean = self._sums[0] / self._count
            deviation = (self._sums[1] / self._count - mean.square()).clamp_min(0).sqrt()
            # A column that is one constant, but for rounding, stays one.
            deviation = torch.where(deviation > 1e-7 * mean.abs(), deviation, torch.ones_like(deviation))
            shape = [-1 if place == axis else 1 for place in range(own.dim())]
        return ((own - mean.reshape(shape)) / deviation.reshape(shape)).to(own.dtype)

    def _take(self, own: torch.Tensor, others: list[int]) -> None:
        known = torch.isfinite(own)
        own = torch.where(known, own, torch.zeros_like(own))
        sums = own.sum(dim=others), own.square().sum(dim=others)
        former = self._sums or (torch.zeros_like(sums[0]), torch.zeros_like(sums[1]))
        self._sums = former[0] + sums[0], former[1] + sums[1]
        self._count += own.numel() / own.shape[1 if own.dim() >= 4 else -1]
        self._batches += 1
