"""The optimisers of studies over members stacked in one array: each variant at its own learning rate.

The steps of SGD, Adam and AdamW are `torch.optim`'s, one kernel over a whole array where there is one; its formulas are
those of `actlab.study.optimisers`, as Optax's are. Of RMSProp they are not (PyTorch adds ε to the root, Optax to the
square), so its step is written here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from actlab.study.optimisers import SGD, Adam, AdamW, Optimiser, RMSProp

Tensor = torch.Tensor


class Stepper:
    """An optimiser with its state.

    Args:
        settings: of the study.
        rates: of every variant.
        arrays: what is trained, (variants · seeds, …) each, changed in place.
    """

    def __init__(self, settings: Optimiser, rates: Sequence[float], arrays: Sequence[Tensor]) -> None:
        self.settings, self.rates, self.arrays = settings, rates, list(arrays)
        self.share = len(self.arrays[0]) // len(rates)
        groups = [{"params": self._of(variant, self.arrays), "lr": rate} for variant, rate in enumerate(rates)]
        self._optimiser = _made(settings, groups)
        self._parts = [part for group in groups for part in group["params"]]

    def _of(self, variant: int, arrays: Sequence[Tensor]) -> list[Tensor]:
        """The rows of one variant, which share the memory of the arrays."""
        return [array[variant * self.share : (variant + 1) * self.share] for array in arrays]

    def step(self, gradients: Sequence[Tensor]) -> None:
        """Make a step along these gradients, in the order of the arrays."""
        for place, (array, gradient) in enumerate(zip(self.arrays, gradients, strict=True)):
            # As a gradient comes out of products its axes may lie in another order, for which there is no kernel.
            own = gradient if gradient.stride() == array.stride() else gradient.contiguous()
            for variant in range(len(self.rates)):
                part = self._parts[variant * len(self.arrays) + place]
                part.grad = own[variant * self.share : (variant + 1) * self.share]
        self._optimiser.step()

    def moves(self, gradients: Sequence[Tensor]) -> list[Tensor]:
        """What a step along these gradients would take off the arrays; nothing is changed."""
        found = []
        for place, (array, gradient) in enumerate(zip(self.arrays, gradients, strict=True)):
            parts = []
            for variant, rate in enumerate(self.rates):
                part = self._parts[variant * len(self.arrays) + place]
                rows = slice(variant * self.share, (variant + 1) * self.share)
                parts.append(rate * _update(self.settings, gradient[rows], array[rows], self._optimiser.state[part]))
            found.append(torch.cat(parts))
        return found


def _update(settings: Optimiser, gradient: Tensor, array: Tensor, state: dict[str, Any]) -> Tensor:
    """The update at learning rate 1, from the state before the step."""
    match settings:
        case SGD():
            momentum = state.get("momentum_buffer")
            return gradient if momentum is None else settings.momentum * momentum + gradient
        case RMSProp():
            mean = settings.decay * state.get("square", 0.0) + (1 - settings.decay) * gradient.square()
            return gradient * torch.rsqrt(mean + settings.epsilon)
    step = float(state.get("step", 0.0)) + 1
    first = settings.beta1 * state.get("exp_avg", 0.0) + (1 - settings.beta1) * gradient
    second = settings.beta2 * state.get("exp_avg_sq", 0.0) + (1 - settings.beta2) * gradient.square()
    root = torch.sqrt(second / (1 - settings.beta2**step)) + settings.epsilon
    update = first / (1 - settings.beta1**step) / root
    return update + settings.weight_decay * array if isinstance(settings, AdamW) else update


def _made(settings: Optimiser, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    match settings:
        case SGD():
            return torch.optim.SGD(groups, momentum=settings.momentum, fused=True)
        case RMSProp():
            return _RMSProp(groups, {"decay": settings.decay, "epsilon": settings.epsilon})
        case AdamW() | Adam():
            own = {"betas": (settings.beta1, settings.beta2), "eps": settings.epsilon, "fused": True}
            if isinstance(settings, AdamW):
                return torch.optim.AdamW(groups, weight_decay=settings.weight_decay, **own)
            return torch.optim.Adam(groups, **own)


class _RMSProp(torch.optim.Optimizer):
    """w ← w − learning_rate·gradient / √(running mean of gradient² + ε)."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        for group in self.param_groups:
            for array in group["params"]:
                state = self.state[array]
                if "square" not in state:
                    state["square"] = torch.zeros_like(array)
                square = state["square"].mul_(group["decay"])
                square.addcmul_(array.grad, array.grad, value=1 - group["decay"])
                array.addcmul_(array.grad, torch.rsqrt(square + group["epsilon"]), value=-group["lr"])
