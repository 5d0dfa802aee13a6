"""The loop around a model, changed from outside: around each step of the optimiser, and before what goes back.

Each function takes the model and gives a context; at its end nothing is left in the process or the optimiser.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from typing import Any

import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from actlab.laboratory.healing.remedy import DoesNotApply

Optimiser = torch.optim.Optimizer
Hook = Callable[[Optimiser], None]
# Of Kingma and Ba 2015, arXiv 1412.6980.
_BETAS, _EPSILON = (0.9, 0.999), 1e-8
# A loss is multiplied by this before it goes back in half precision; by half of it after each overflow.
LOSS_SCALE = 2.0**14


@contextmanager
def around_steps(model: nn.Module, before: Hook | None = None, after: Hook | None = None) -> Iterator[None]:
    """Have functions called before and after each step of an optimiser that holds some of the model's parameters."""

    def guarded(hook: Hook) -> Callable[..., None]:
        def called(optimiser: Optimiser, *_: Any) -> None:
            own = {id(parameter) for parameter in model.parameters()}
            if any(id(parameter) in own for group in optimiser.param_groups for parameter in group["params"]):
                hook(optimiser)

        return called

    handles = [register_optimizer_step_pre_hook(guarded(before))] if before else []
    handles += [register_optimizer_step_post_hook(guarded(after))] if after else []
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def going_back(change: Callable[[Any], Any]) -> Iterator[None]:
    """Have what a backward pass begins with go through `change` first."""
    original, holds = torch.autograd.backward, [True]

    @wraps(original)
    def backward(tensors: Any, *arguments: Any, **settings: Any) -> Any:
        return original(change(tensors) if holds[0] else tensors, *arguments, **settings)

    torch.autograd.backward = backward
    try:
        yield
    finally:
        holds[0] = False
        # Who has put something in its place since, keeps it.
        if torch.autograd.backward is backward:
            torch.autograd.backward = original


@contextmanager
def settings(model: nn.Module, change: Callable[[dict[str, Any], Optimiser], dict[str, Any]]) -> Iterator[None]:
    """Groups of parameters with other settings during each step; between steps, and for schedulers, with their own."""
    former: list[tuple[dict[str, Any], dict[str, Any]]] = []

    def before(optimiser: Optimiser) -> None:
        for group in optimiser.param_groups:
            new = change(group, optimiser)
            former.append((group, {name: group[name] for name in new}))
            group.update(new)

    def after(_: Optimiser) -> None:
        while former:
            group, own = former.pop()
            group.update(own)

    with around_steps(model, before, after):
        try:
            yield
        finally:
            while former:  # A step that was ended by an error.
                group, own = former.pop()
                group.update(own)


def other_rate(model: nn.Module, factor: float) -> Any:
    """A multiple of every learning rate."""
    return settings(model, lambda group, _: {"lr": group["lr"] * factor} if "lr" in group else {})


def one_rate(model: nn.Module) -> Any:
    """Groups whose rate is zero get the largest of the others."""

    def change(group: dict[str, Any], optimiser: Optimiser) -> dict[str, Any]:
        rates = [float(own.get("lr", 0.0)) for own in optimiser.param_groups]
        return {"lr": max(rates)} if "lr" in group and float(group["lr"]) == 0 else {}

    return settings(model, change)


def other_decay(model: nn.Module, factor: float) -> Any:
    """A multiple of every weight decay."""
    return settings(model, lambda group, _: {"weight_decay": group.get("weight_decay", 0.0) * factor})


def cleared_gradients(model: nn.Module) -> Any:
    """No gradients left after a step."""

    def after(optimiser: Optimiser) -> None:
        for own in _held(optimiser):
            own.grad = None

    return around_steps(model, after=after)


def clipped_gradients(model: nn.Module, norm: float) -> Any:
    """Gradients of a norm of at most so much."""

    def before(optimiser: Optimiser) -> None:
        nn.utils.clip_grad_norm_([own for own in _held(optimiser) if own.grad is not None], norm)

    return around_steps(model, before)


@contextmanager
def unclipped_gradients(_: nn.Module) -> Iterator[None]:
    """PyTorch's clipping leaves gradients as they are; by whatever name a loop has imported it."""
    # What `clip_grad_norm_` is made of, for the function itself may be known to the loop by another name.
    module: Any = nn.utils.clip_grad
    within = "_clip_grads_with_norm_"
    if not hasattr(module, within):
        raise DoesNotApply("this PyTorch clips in another way: take the clipping out of the loop yourself.")
    former, by_value = getattr(module, within), module.clip_grad_value_
    setattr(module, within, lambda *_, **__: None)
    module.clip_grad_value_ = nn.utils.clip_grad_value_ = lambda *_, **__: None
    try:
        yield
    finally:
        setattr(module, within, former)
        module.clip_grad_value_ = nn.utils.clip_grad_value_ = by_value


@contextmanager
def all_parameters_held(model: nn.Module) -> Iterator[None]:
    """Parameters that train and that no optimiser holds join the first group of the first one that steps."""
    joined: list[tuple[list[Any], Any]] = []
    seen: set[int] = set()

    def before(optimiser: Optimiser) -> None:
        seen.update(id(own) for own in _held(optimiser))
        if joined:
            return
        for own in model.parameters():
            if own.requires_grad and id(own) not in seen:
                params = optimiser.param_groups[0]["params"]
                params.append(own)
                joined.append((params, own))

    with around_steps(model, before):
        try:
            yield
        finally:
            for params, own in joined:
                params[:] = [one for one in params if one is not own]


@contextmanager
def adam(model: nn.Module, rate: float) -> Iterator[None]:
    """Adam's steps in the place of those of SGD, at a rate that follows the schedule of the loop's own."""
    state: dict[torch.Tensor, tuple[torch.Tensor, torch.Tensor, int]] = {}
    first: dict[int, float] = {}
    put_away: list[tuple[torch.Tensor, torch.Tensor]] = []

    def put_back(_: Any = None) -> None:
        while put_away:
            own, gradient = put_away.pop()
            own.grad = gradient

    @torch.no_grad()
    def before(optimiser: Optimiser) -> None:
        for place, group in enumerate(optimiser.param_groups):
            begun = first.setdefault(place, float(group["lr"]))
            factor = float(group["lr"]) / begun if begun else 1.0
            for own in (one for one in group["params"] if one.grad is not None):
                gradient = own.grad.to_dense() if own.grad.is_sparse else own.grad
                state[own] = _adam_step(own, gradient, state.get(own), rate * factor)
                # Without a gradient the loop's own optimiser leaves a parameter alone.
                put_away.append((own, own.grad))
                own.grad = None

    with around_steps(model, before, put_back):
        try:
            yield
        finally:
            put_back()


def _adam_step(
    own: torch.Tensor, gradient: torch.Tensor, former: tuple[torch.Tensor, torch.Tensor, int] | None, rate: float
) -> tuple[torch.Tensor, torch.Tensor, int]:
    mean, square, count = former or (torch.zeros_like(own), torch.zeros_like(own), 0)
    count += 1
    mean.lerp_(gradient, 1 - _BETAS[0])
    square.mul_(_BETAS[1]).addcmul_(gradient, gradient, value=1 - _BETAS[1])
    deviation = (square / (1 - _BETAS[1] ** count)).sqrt_().add_(_EPSILON)
    own.addcdiv_(mean, deviation, value=-rate / (1 - _BETAS[0] ** count))
    return mean, square, count


@contextmanager
def scaled_loss(model: nn.Module) -> Iterator[None]:
    """The loss scaled up before it goes back in half precision, and gradients down again before a step."""
    scale = [LOSS_SCALE]

    def change(tensors: Any) -> Any:
        many = isinstance(tensors, (tuple, list))
        changed = [own.float() * scale[0] if own.numel() == 1 else own for own in (tensors if many else [tensors])]
        return changed if many else changed[0]

    def before(optimiser: Optimiser) -> None:
        held = [own for own in _held(optimiser) if own.grad is not None]
        if all(bool(torch.isfinite(own.grad).all()) for own in held if own.grad is not None):
            for own in held:
                own.grad = own.grad / scale[0]  # pyright: ignore[reportOptionalOperand]
            return
        scale[0] = max(1.0, scale[0] / 2)
        for own in held:
            own.grad = None

    if any(own.dtype == torch.float16 for own in model.parameters()):
        raise DoesNotApply("the weights are float16 themselves: keep them in float32, and take torch.autocast.")
    with going_back(change), around_steps(model, before):
        yield


@contextmanager
def full_precision(model: nn.Module) -> Iterator[None]:
    """float32 in the place of half precision: of the model, of autocasts, and of inputs on their way into it."""
    usual = torch.autocast.__enter__

    def enter(self: Any) -> Any:
        self._enabled = False
        return usual(self)

    def before(_: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(own.float() if _is_half(own) else own for own in arguments)

    if any(map(_is_half, model.parameters())):
        model.float()
    handle = model.register_forward_pre_hook(before)
    torch.autocast.__enter__ = enter
    try:
        yield
    finally:
        torch.autocast.__enter__ = usual
        handle.remove()


def _is_half(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.dtype in (torch.float16, torch.bfloat16)


@contextmanager
def training_mode(model: nn.Module) -> Iterator[None]:
    """The model in training mode for each forward pass with gradients; afterwards as the loop had it."""
    former: list[dict[nn.Module, bool]] = []

    def before(own: nn.Module, _: Any) -> None:
        former.append({module: module.training for module in own.modules()})
        if torch.is_grad_enabled() and not own.training:
            own.train()

    def after(_: nn.Module, __: Any, ___: Any) -> None:
        for module, mode in former.pop().items():
            module.training = mode

    handles = [model.register_forward_pre_hook(before), model.register_forward_hook(after, always_call=True)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def unbroken_graph(model: nn.Module) -> Iterator[None]:
    """What cuts the graph within the model does nothing there: `detach`, `.data`, `no_grad`."""
    from actlab.laboratory.healing.calls import calls

    within = [0]
    entering = torch.no_grad.__enter__

    def before(_: nn.Module, __: Any) -> None:
        within[0] += torch.is_grad_enabled()

    def after(_: nn.Module, __: Any, ___: Any) -> None:
        within[0] = 0

    def kept(function: Any, arguments: Any, named: Any) -> Any:
        return arguments[0] if within[0] and torch.is_grad_enabled() else function(*arguments, **named)

    def enter(self: Any) -> None:
        if not within[0]:
            entering(self)
        else:
            self.prev = torch.is_grad_enabled()

    data: Any = torch.Tensor.data
    handles = [model.register_forward_pre_hook(before), model.register_forward_hook(after, always_call=True)]
    torch.no_grad.__enter__ = enter
    try:
        with calls({torch.Tensor.detach: kept, torch.detach: kept, data.__get__: kept}):
            yield
    finally:
        torch.no_grad.__enter__ = entering
        for handle in handles:
            handle.remove()


def _held(optimiser: Optimiser) -> Iterator[torch.Tensor]:
    for group in optimiser.param_groups:
        yield from group["params"]


class Losses:
    """The loss of every step, as it goes back.

    Attributes:
        steps: so many were made.
        by_step: mean loss of each; NaN where it was not seen.
    """

    def __init__(self) -> None:
        self.by_step: list[float] = []
        self._of_step: list[float] = []

    @property
    def steps(self) -> int:
        """How many steps were made."""
        return len(self.by_step)

    def hear(self, tensors: Any) -> Any:
        """Read a loss before it goes back, unscaled; it is not changed."""
        from actlab.watching.torch_graph import unscaled

        first = tensors[0] if isinstance(tensors, (tuple, list)) and tensors else tensors
        with suppress(Exception):  # A loss that cannot be read is none.
            if isinstance(first, torch.Tensor) and first.numel() == 1:
                self._of_step.append(unscaled(first))
        return tensors

    def step(self, _: Optimiser) -> None:
        """A step was made."""
        self.by_step.append(sum(self._of_step) / len(self._of_step) if self._of_step else math.nan)
        self._of_step = []
