"""Other activation functions in a model that is there already, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any

from torch import nn

from actlab.errors import InvalidFunction
from actlab.functions.activation import Activation as Function
from actlab.torch.module import Activation
from actlab.torch.recognition import ACTIVATIONS, FUSED, described, find, is_activation, one_line

Where = str | type | tuple[type, ...] | Callable[[str, nn.Module], bool] | None


@dataclass(frozen=True, eq=False, repr=False)
class Swapped:
    """What `swap` changed; in a `with` statement it is undone at the end.

    Attributes:
        model: the model.
        changes: qualified name → (old module, new module).
        left: qualified name → what was found there, and why it is left as it is.
    """

    model: nn.Module
    changes: Mapping[str, tuple[nn.Module, nn.Module]]
    left: Mapping[str, str] = field(default_factory=dict)

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
        lines = [f"  {name}: {described(old)} → {one_line(new)}" for name, (old, new) in self.changes.items()]
        left = [f"  {name}: {reason}" for name, reason in self.left.items()]
        left = [f"left {len(left)} as they are:", *left] if left else []
        return "\n".join([f"<swapped {len(lines)} in {type(self.model).__name__}:", *lines, *left]) + ">"


def swap(model: nn.Module, to: str | Function | Callable[[], nn.Module] = "gelu", *, where: Where = None) -> Swapped:
    """Replace activation modules of a model by another function, in place.

    A module that stands in several places stays one module in all of them. The new ones are in the model's mode, on
    the device and in the type of its first floating-point parameter. Functions called in `forward` (`F.relu(x)`,
    `x.relu()`) are no modules: they stay, and cannot be listed either.

    Args:
        model: any module that holds activation modules.
        to: a name, a function of the catalogue, or a function without arguments that makes the new module.
        where: which modules: a type or a tuple of types, a pattern for the qualified name ("encoder.*.act"), or a
            predicate of name and module. None takes PyTorch's activation modules, actlab's own, and all others that
            behave like one (see `actlab.torch.recognition.find`), but leaves what is no hidden unit's: softmax and its
            kin, a last sigmoid or tanh, a sigmoid called gate or scale, what rounds. `Swapped.left` lists these, and
            functions that are no modules; name them in `where` to replace them, too.

    Raises:
        InvalidFunction: there is nothing to replace; the model is itself an activation module; or the module around one
            goes on computing the old function in `eval()`, as an encoder layer of PyTorch does. Nothing is changed.

    >>> model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2), nn.Softmax(-1))
    >>> swap(model, "mish")
    <swapped 1 in Sequential:
      1: ReLU() → Activation('mish')
    left 1 as they are:
      3: Softmax(dim=-1), which normalises over units, as outputs and attention do>
    """
    if not isinstance(model, nn.Module):
        raise InvalidFunction(f"swap takes a torch.nn.Module whose activations are replaced; it was given {model!r}.")
    chosen, left = _chosen(model, where)
    make = to if callable(to) and not isinstance(to, Function) else lambda: Activation(to)
    if not chosen:
        raise InvalidFunction(_nothing(model, where, left))
    _refuse_fused(model, chosen)
    made: dict[int, nn.Module] = {}
    changes: dict[str, tuple[nn.Module, nn.Module]] = {}
    for name in chosen:
        old = model.get_submodule(name)
        if id(old) not in made:
            made[id(old)] = _like(make(), model, old)
        changes[name] = (old, made[id(old)])
    for name, (_, new) in changes.items():
        _put(model, name, new)
    return Swapped(model, MappingProxyType(changes), MappingProxyType(left))


def _chosen(model: nn.Module, where: Where) -> tuple[list[str], dict[str, str]]:
    """Qualified names of the modules to replace, outer before inner, and what is left with the reasons."""
    matches = _matcher(where)
    if is_activation(model) if matches is None else matches("", model):
        raise InvalidFunction(
            f"the model is itself the module to replace, {one_line(model)}, which cannot be done in place: use the new "
            "one instead of it, as actlab.torch.Activation(…), or put it into nn.Sequential first."
        )
    if matches is None:
        found = find(model)
        return list(found.activations), found.left
    chosen: list[str] = []
    for name, module in model.named_modules(remove_duplicate=False):
        if name and matches(name, module) and not any(name.startswith(f"{outer}.") for outer in chosen):
            chosen.append(name)
    return chosen, {}


def _refuse_fused(model: nn.Module, names: list[str]) -> None:
    """An encoder layer of PyTorch looks at its `activation` once, when it is made, and then has a path of its own."""
    for name in names:
        parent, _, own = name.rpartition(".")
        layer = model.get_submodule(parent)
        # The fused path is taken with batches first alone.
        batch_first = getattr(getattr(layer, "self_attn", None), "batch_first", True)
        if own == "activation" and getattr(layer, FUSED, 0) and batch_first:
            fused = {1: "ReLU", 2: "GELU"}.get(getattr(layer, FUSED), "the old function")
            raise InvalidFunction(
                f"{name} is not replaced, for in eval() the {type(layer).__name__} around it would go on computing "
                f"{fused} by itself, without gradients: nothing was changed. Set {FUSED} = 0 on it and all "
                f"others like it first, which turns that path off, or leave them out with where=."
            )


def _matcher(where: Where) -> Callable[[str, nn.Module], bool] | None:
    if where is None:
        return None
    if isinstance(where, str):
        return lambda name, module: bool(name) and fnmatchcase(name, where)
    if isinstance(where, (type, tuple)):
        return lambda name, module: isinstance(module, where)
    if not callable(where):
        raise InvalidFunction(
            f"where is a module type, a pattern of names, a predicate(name, module) or None; it was given {where!r}."
        )
    return lambda name, module: bool(name) and bool(where(name, module))


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


def _nothing(model: nn.Module, where: Where, left: Mapping[str, str]) -> str:
    looked = "it has none of " + ", ".join(kind.__name__ for kind in ACTIVATIONS) + ", and none that behaves like one"
    if left:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in left.items())
        looked = f"what it has is left as it is ({reasons}), but for where= that names it"
    if where is not None:
        found = sorted({type(module).__name__ for module in model.modules()})
        looked = f"no module matches where={where!r}; it has modules of {', '.join(found)}"
    return (
        f"there is nothing to swap in {type(model).__name__}: {looked}. Functions called in forward, as F.relu(x) or "
        "torch.tanh(x), are no modules and cannot be swapped: write them as modules in __init__ first."
    )
