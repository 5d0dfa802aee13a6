"""PyTorch's functions called in another way while a user's loop runs, whatever name or module they are called by."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.overrides import TorchFunctionMode

from actlab.laboratory.healing.remedy import DoesNotApply
from actlab.watching.torch_functions import FUNCTIONS

# Called with the function, its arguments and those by name.
Handler = Callable[[Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]
Handlers = Mapping[Any, Handler]
# Below this a logarithm or a root is taken of this.
LEAST = 1e-7
# The tensor that a function at the end of a model was called with, kept with what it gave.
_BEFORE = "_actlab_before"
# What gives its logarithm without a rounding to zero on the way.
_LOGARITHM = "_actlab_logarithm"
_ENDS = ("sigmoid", "tanh", "relu", "leaky_relu", "relu6", "softplus", "hardtanh")
_RESHAPED = ("view", "reshape", "squeeze", "unsqueeze", "flatten", "__getitem__", "float")


class _Calls(TorchFunctionMode):
    def __init__(self, handlers: Handlers) -> None:
        super().__init__()
        self._handlers = handlers

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        handler = self._handlers.get(func)
        return func(*args, **(kwargs or {})) if handler is None else handler(func, args, kwargs or {})


@contextmanager
def calls(handlers: Handlers) -> Iterator[None]:
    """Have functions of PyTorch called by handlers; compiled code runs eagerly meanwhile, for it would not know."""
    stance: Any = torch.compiler.set_stance("force_eager")
    try:
        with _Calls(handlers):
            yield
    finally:
        stance.__exit__(None, None, None)


def replaced(former: str, new: str) -> Handlers:
    """Handlers that compute another activation function instead of one, both by their names in the catalogue.

    Raises:
        DoesNotApply: PyTorch has no such function.
    """
    from actlab.torch import Activation

    activation = Activation(new)
    found = [function for function, name in FUNCTIONS.items() if name == former]
    if not found:
        raise DoesNotApply(f"{former} is no function of PyTorch's that can be replaced.")
    return dict.fromkeys(found, lambda _, arguments, named: activation(_first(arguments, named)))


def _first(arguments: tuple[Any, ...], named: Mapping[str, Any]) -> Any:
    return arguments[0] if arguments else named["input"]


def _traced() -> dict[Any, Handler]:
    """Handlers by which what a sigmoid, a softmax or another last function gave knows what it was called with."""

    def ending(function: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        own = _first(arguments, named)
        if not isinstance(own, torch.Tensor):
            return function(*arguments, **named)
        # In place, what came before would be gone.
        apart = own.clone()
        given = (apart, *arguments[1:]) if arguments else ()
        result = function(*given, **(named if arguments else named | {"input": apart}))
        setattr(result, _BEFORE, own)
        setattr(result, _LOGARITHM, _logarithm(function.__name__, own, arguments, named))
        return result

    def reshaped(function: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        result = function(*arguments, **named)
        before = getattr(arguments[0], _BEFORE, None) if arguments else None
        if before is not None and isinstance(result, torch.Tensor):
            setattr(result, _BEFORE, function(before, *arguments[1:], **named))
            logarithm = getattr(arguments[0], _LOGARITHM, None)
            changed = logarithm and (lambda: function(logarithm(), *arguments[1:], **named))
            setattr(result, _LOGARITHM, changed)
        return result

    homes = (torch, F, torch.Tensor, torch.special)
    ends = ("softmax", "expit", *(name for own in _ENDS for name in (own, f"{own}_")))
    found = {getattr(home, name, None): ending for home in homes for name in ends}
    found |= {getattr(home, name, None): reshaped for home in (torch, torch.Tensor) for name in _RESHAPED}
    found.pop(None, None)
    return found


def _logarithm(
    name: str, own: torch.Tensor, arguments: tuple[Any, ...], named: Mapping[str, Any]
) -> Callable[[], torch.Tensor] | None:
    """What gives the logarithm of a softmax or sigmoid from what it was called with."""
    if name in ("sigmoid", "sigmoid_", "expit"):
        return lambda: F.logsigmoid(own)
    dim = named.get("dim", arguments[1] if len(arguments) > 1 else None)
    return (lambda: F.log_softmax(own, dim)) if name == "softmax" and dim is not None else None


def _without_function(function: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """A loss taken of what the last function was called with."""
    own = _first(arguments, named)
    before = getattr(own, _BEFORE, own)
    return function(before, *arguments[1:], **named) if arguments else function(**(named | {"input": before}))


def loss_of_logits(_: nn.Module) -> Any:
    """Losses that apply a softmax or sigmoid by themselves are taken of what the model's was called with."""
    losses = (F.cross_entropy, F.binary_cross_entropy_with_logits, torch.binary_cross_entropy_with_logits)
    return calls(_traced() | dict.fromkeys(losses, _without_function))


@contextmanager
def without_end(model: nn.Module) -> Iterator[None]:
    """The model gives what its last function was called with."""

    def after(_: nn.Module, __: Any, output: Any) -> Any:
        return getattr(output, _BEFORE, output)

    handle = model.register_forward_hook(after)
    try:
        with calls(_traced()):
            yield
    finally:
        handle.remove()


def log_probabilities(_: nn.Module) -> Any:
    """The negative log-likelihood is taken of logarithms: of the model's outputs, or of what its softmax was given."""

    def handler(function: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        own = _first(arguments, named)
        logs = F.log_softmax(getattr(own, _BEFORE, own), dim=1)
        return function(logs, *arguments[1:], **named) if arguments else function(**(named | {"input": logs}))

    return calls(_traced() | {F.nll_loss: handler})


def suited_loss(_: nn.Module) -> Any:
    """Cross-entropy in the place of a squared or absolute loss behind a sigmoid or softmax."""

    def handler(function: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        given = dict(zip(("input", "target"), arguments, strict=False)) | named
        own, targets = given["input"], given["target"]
        before = getattr(own, _BEFORE, None)
        if before is None or not bool(((targets >= 0) & (targets <= 1)).all()):
            return function(*arguments, **named)
        # One class of several, whatever function stood at the end.
        if own.dim() == 2 and own.shape[1] > 1 and bool(torch.isclose(targets.sum(1), targets.new_ones(())).all()):
            return F.cross_entropy(before, targets.to(before.dtype))
        return F.binary_cross_entropy_with_logits(before, targets.to(before.dtype))

    return calls(_traced() | dict.fromkeys((F.mse_loss, F.l1_loss, F.smooth_l1_loss, F.huber_loss), handler))


def weighed_classes(_: nn.Module) -> Any:
    """The loss of a class weighs the more, the fewer samples it has, by the targets seen so far."""
    seen: dict[int, torch.Tensor] = {}

    def of_several(function: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        given = dict(zip(("input", "target"), arguments, strict=False)) | named
        own, targets = given["input"], given["target"]
        if targets.is_floating_point() or given.get("weight") is not None or len(arguments) > 2:
            return function(*arguments, **named)
        classes = own.shape[1]
        counts = torch.bincount(targets[targets >= 0].reshape(-1), minlength=classes).to(own)
        if torch.is_grad_enabled():
            seen[classes] = counts = seen.get(classes, torch.zeros_like(counts)) + counts
        counts = seen.get(classes, counts)
        return function(**(given | {"weight": counts.sum() / (classes * counts.clamp_min(1))}))

    def of_two(function: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        given = dict(zip(("input", "target"), arguments, strict=False)) | named
        own, targets = given["input"], given["target"]
        if given.get("pos_weight") is not None or len(arguments) > 2:
            return function(*arguments, **named)
        counts = torch.stack([(targets <= 0.5).sum(), (targets > 0.5).sum()]).to(own)
        if torch.is_grad_enabled():
            seen[0] = seen.get(0, torch.zeros_like(counts)) + counts
        counts = seen.get(0, counts)
        return function(**(given | {"pos_weight": counts[0].clamp_min(1) / counts[1].clamp_min(1)}))

    return calls({F.cross_entropy: of_several, F.binary_cross_entropy_with_logits: of_two})


def bounded_logarithms(_: nn.Module) -> Any:
    """Logarithms and roots are taken of numbers of at least `LEAST`, and of a softmax or sigmoid from its input."""

    def handler(function: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        own = _first(arguments, named)
        if not isinstance(own, torch.Tensor):
            return function(*arguments, **named)
        logarithm = getattr(own, _LOGARITHM, None)
        if logarithm is not None and function in (torch.log, torch.Tensor.log):
            return logarithm()
        return function(own.clamp_min(LEAST))

    names = ("log", "log2", "log10", "sqrt")
    found = {getattr(home, name): handler for home in (torch, torch.Tensor) for name in names}
    return calls(_traced() | found)
