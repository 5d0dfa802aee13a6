"""Other activation functions in a model that is there already, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any

from torch import nn

from actlab.errors import InvalidFunction
from actlab.functions.activation import Activation as Function
from actlab.torch.module import Activation

Where = str | type | tuple[type, ...] | Callable[[str, nn.Module], bool] | None

_NAMES = (
    "CELU ELU GELU GLU Hardshrink Hardsigmoid Hardswish Hardtanh LeakyReLU LogSigmoid LogSoftmax Mish PReLU RReLU "
    "ReLU ReLU6 SELU SiLU Sigmoid Softmax Softmax2d Softmin Softplus Softshrink Softsign Tanh Tanhshrink Threshold"
)
#: What is taken for an activation module where nothing else is said.
ACTIVATIONS: tuple[type[nn.Module], ...] = (Activation, *(getattr(nn, name) for name in _NAMES.split()))


@dataclass(frozen=True, eq=False, repr=False)
class Swapped:
    """What `swap` changed; in a `with` statement it is undone at the end.

    Attributes:
        model: the model.
        changes: qualified name → (old module, new module).
    """

    model: nn.Module
    changes: Mapping[str, tuple[nn.Module, nn.Module]]

    def undo(self) -> None:
        """Put the old modules back, with what they had learnt.

        Raises:
            InvalidFunction: a module has been replaced since; nothing is put back then.
        """
        for name, (old, new) in self.changes.items():
            if self.model.get_submodule(name) not in (new, old):
                raise InvalidFunction(
                    f"{name!r} is no longer what was put there, but {self.model.get_submodule(name)}: undo that first."
                )
        for name, (old, _) in self.changes.items():
            _put(self.model, name, old)

    def __enter__(self) -> Swapped:
        return self

    def __exit__(self, *_: object) -> None:
        self.undo()

    def __repr__(self) -> str:
        lines = [f"  {name}: {old} → {new}" for name, (old, new) in self.changes.items()]
        return "\n".join([f"<swapped {len(lines)} in {type(self.model).__name__}:", *lines]) + ">"


def swap(model: nn.Module, to: str | Function | Callable[[], nn.Module] = "gelu", *, where: Where = None) -> Swapped:
    """Replace activation modules of a model by another function, in place.

    A module that stands in several places stays one module in all of them. The new ones are in the model's mode, on
    the device and in the type of its first floating-point parameter. Functions called in `forward`
    (`F.relu`, `x.relu()`) are no modules and stay.

    Args:
        model: any module that holds activation modules.
        to: a name, a function of the catalogue, or a function without arguments that makes the new module.
        where: which modules: a type or a tuple of types, a pattern for the qualified name ("encoder.*.act"), or a
            predicate of name and module. None takes PyTorch's activation modules and actlab's own.

    Raises:
        InvalidFunction: there is nothing to replace, or the model is itself an activation module.

    >>> model = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    >>> swap(model, "mish")
    <swapped 1 in Sequential:
      1: ReLU() → Activation('mish')>
    """
    matches = _matcher(where)
    make = to if callable(to) and not isinstance(to, Function) else lambda: Activation(to)
    if matches("", model):
        raise InvalidFunction(
            f"the model is itself the module to replace, {model}, which cannot be done in place: use the new one "
            "instead of it, as actlab.torch.Activation(…), or put it into nn.Sequential first."
        )
    made: dict[int, nn.Module] = {}
    changes: dict[str, tuple[nn.Module, nn.Module]] = {}
    for name, old in _places(model):
        if not matches(name, old) or any(name.startswith(f"{outer}.") for outer in changes):
            continue
        if id(old) not in made:
            made[id(old)] = _like(make(), model, old)
        changes[name] = (old, made[id(old)])
    if not changes:
        raise InvalidFunction(_nothing(model, where))
    for name, (_, new) in changes.items():
        _put(model, name, new)
    return Swapped(model, MappingProxyType(changes))


def _matcher(where: Where) -> Callable[[str, nn.Module], bool]:
    if where is None:
        return lambda name, module: isinstance(module, ACTIVATIONS)
    if isinstance(where, str):
        return lambda name, module: bool(name) and fnmatchcase(name, where)
    if isinstance(where, (type, tuple)):
        return lambda name, module: isinstance(module, where)
    if not callable(where):
        raise InvalidFunction(
            f"where is a module type, a pattern of names, a predicate(name, module) or None; it was given {where!r}."
        )
    return lambda name, module: bool(name) and bool(where(name, module))


def _places(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """Every place a module stands in, those of a shared one too, outer before inner."""
    return [(name, module) for name, module in model.named_modules(remove_duplicate=False) if name]


def _like(new: Any, model: nn.Module, old: nn.Module) -> nn.Module:
    if not isinstance(new, nn.Module):
        raise InvalidFunction(f"what makes the new modules must return a torch.nn.Module; it returned {new!r}.")
    tensors = (tensor for tensor in model.parameters() if tensor.is_floating_point())
    first = next(tensors, None)
    if first is not None and next(new.parameters(), None) is not None:
        new.to(device=first.device, dtype=first.dtype)
    return new.train(old.training)


def _put(model: nn.Module, name: str, module: nn.Module) -> None:
    """Put a module in the place called `name`, which also is how Sequential, ModuleList and ModuleDict keep theirs."""
    parent, _, own = name.rpartition(".")
    setattr(model.get_submodule(parent), own, module)


def _nothing(model: nn.Module, where: Where) -> str:
    looked = "it has none of " + ", ".join(kind.__name__ for kind in ACTIVATIONS)
    if where is not None:
        found = sorted({type(module).__name__ for module in model.modules()})
        looked = f"no module matches where={where!r}; it has modules of {', '.join(found)}"
    return (
        f"there is nothing to swap in {type(model).__name__}: {looked}. Functions called in forward, as F.relu(x) or "
        "torch.tanh(x), are no modules and cannot be swapped: write them as modules in __init__ first."
    )
