"""A PyTorch training watched: at some steps functions, gradients and updates are looked at, between them nothing."""

from __future__ import annotations

import math
import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from actlab.errors import InvalidModel, tell
from actlab.torch.module import Activation
from actlab.torch.recognition import find, is_foreign, named_function
from actlab.watching.looks import Constant, Look, WeightLook
from actlab.watching.torch_functions import HIDING
from actlab.watching.torch_graph import Backward, backward_of, is_of
from actlab.watching.torch_process import begin, end
from actlab.watching.torch_taps import Taps, looks_of
from actlab.watching.torch_values import (
    MOST_WEIGHTS,
    Array,
    histograms,
    norms,
    numbers,
    size_of,
    some_values,
)  # fmt: skip

# Looked at besides every so manieth step: most of what is wrong is wrong from the start.
FIRST_STEPS = (0, 1, 2, 3, 4, 5, 10, 20, 30)
# A gradient scaler multiplies the loss by powers of two, from this on.
LEAST_SCALE = 2.0
# Of more classes it is quicker to sort the targets than to count them.
MOST_CLASSES = 4096
# A step that is looked at runs eagerly: what compiled code would make of the hooks does not matter.
warnings.filterwarnings("ignore", message="Using `torch.compile.module.` when there are global hooks on modules")
_watched: weakref.WeakKeyDictionary[nn.Module, Any] = weakref.WeakKeyDictionary()


class TorchWatch:
    """Looks at a model while it trains; ends by `remove`, by the end of a `with` block, or with the model.

    Attributes:
        looks: what was seen, step by step.
        steps: of the optimiser that holds the model's parameters, so far.
        stopped: why watching ended by itself; None while it goes on.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        every: int = 50,
        include: str = "*",
        exclude: str = "",
        on_look: Callable[[Look], None] = lambda _: None,
    ) -> None:
        """Begin to watch; see `actlab.watching`."""
        model = getattr(model, "_orig_mod", model)  # That of a compiled one.
        _check(model, every)
        self._model = weakref.ref(model)
        self._ids = {id(parameter): name for name, parameter in model.named_parameters()}
        self._known = {id(module): name for name, module in _own_functions(model)}
        self._names = {id(module): name for name, module in reversed(list(model.named_modules()))}
        self._hiding = dict(_hiding(model))
        self._every, self._on_look = every, on_look
        self._chosen = lambda name: fnmatchcase(name, include) and not (exclude and fnmatchcase(name, exclude))
        self._held: set[str] = set()
        self._optimisers: weakref.WeakKeyDictionary[Any, tuple[tuple[int, ...], bool]] = weakref.WeakKeyDictionary()
        self._targets: list[np.ndarray] = []
        self._step: _Step | None = None
        self.looks: list[Look] = []
        self.steps = 0
        self.stopped: str | None = None
        _watched[model] = self
        # Whoever forgets to end it: with the model it goes.
        weakref.finalize(model, _remove, weakref.ref(self))
        self._hooks = [
            register_optimizer_step_pre_hook(self._guarded(self._before_step)),
            register_optimizer_step_post_hook(self._guarded(self._after_step)),
        ]
        self._arm()

    def __enter__(self) -> TorchWatch:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def remove(self) -> None:
        """Watch no longer; nothing is left in the model or the optimiser. Again, it does nothing."""
        for hook in self._hooks:
            hook.remove()
        self._hooks = []
        if self._step is not None:
            self._step.close()
            self._step = None
        model = self._model()
        if model is not None and _watched.get(model) is self:
            del _watched[model]

    def _guarded(self, hook: Callable[..., Any]) -> Callable[..., Any]:
        """A hook that never ends a training: what fails in it ends the watching, and is told once."""

        def called(*arguments: Any) -> Any:
            if self.stopped is None:
                try:
                    return hook(*arguments)
                except Exception as error:  # Whatever it is, the training goes on.
                    self._stop(error)
            return None

        return called

    def _stop(self, error: Exception) -> None:
        self.stopped = f"{type(error).__name__}: {error}"
        self.remove()
        text = " ".join(str(error).split())[:300]
        tell(
            f"watching ended at step {self.steps} ({type(error).__name__}: {text}); the training goes on, and what was "
            "seen before is kept.",
            stacklevel=4,
        )

    def _arm(self) -> None:
        """Look at the step that comes, if it is one of those."""
        model = self._model()
        if model is not None and (self.steps in FIRST_STEPS or self.steps % self._every == 0):
            self._step = _Step(model, self._names, self._chosen, self._known, self._guarded, self._held)
            self._step.begun = _weights_at_start(model) if self.steps == 0 else {}

    def _of_this(self, optimiser: torch.optim.Optimizer) -> list[torch.Tensor]:
        return [own for group in optimiser.param_groups for own in group["params"] if id(own) in self._ids]

    def _holds_some(self, optimiser: torch.optim.Optimizer) -> bool:
        """Whether an optimiser holds parameters of the model: asked again where it holds more or fewer than before."""
        counts = tuple(len(group["params"]) for group in optimiser.param_groups)
        known = self._optimisers.get(optimiser)
        if known is None or known[0] != counts:
            own = self._of_this(optimiser)
            self._held |= {self._ids[id(parameter)] for parameter in own}
            known = self._optimisers[optimiser] = counts, bool(own)
        return known[1]

    def _before_step(self, optimiser: torch.optim.Optimizer, *_: Any) -> None:
        if self._holds_some(optimiser) and self._step is not None:
            self._step.before_update(self._of_this(optimiser))

    def _after_step(self, optimiser: torch.optim.Optimizer, *_: Any) -> None:
        if not self._holds_some(optimiser):
            return
        step, self._step = self._step, None
        if step is not None:
            step.close()
            look = self._look(step)
            if look is not None:
                self.looks.append(look)
                self._on_look(look)
        self.steps += 1
        self._arm()

    def _look(self, step: _Step) -> Look | None:
        model = self._model()
        if model is None:
            return None
        if step.back is not None and step.back.targets is not None:
            self._targets = [*self._targets[-7:], step.back.targets]
        constant = constant_of(step.back.kind if step.back else "", self._targets)
        return step.look(self.steps, constant, model, self._held, self._hiding)


def _remove(watch: weakref.ref[TorchWatch]) -> None:
    own = watch()
    if own is not None:
        own.remove()


class _Step:
    """One step while it is looked at."""

    def __init__(
        self,
        model: nn.Module,
        names: Mapping[int, str],
        chosen: Callable[[str], bool],
        known: Mapping[int, str],
        guard: Callable[..., Any],
        held: Set[str],
    ) -> None:
        self._held = held
        self.begun: dict[str, object] = {}
        self._all = dict(model.named_parameters())
        self._parameters = {name: own for name, own in self._all.items() if own.requires_grad}
        self._left_over = False
        self._guard = guard
        # Of each matrix some numbers, and the norm of all.
        self._before: dict[str, tuple[Array, torch.Tensor]] = {}
        self._gradients: dict[str, tuple[torch.Tensor, Array]] = {}
        self._came: dict[str, Array] = {}
        self._after_backward = guard(self._gone_back)
        self._closed = False
        self.back: Backward | None = None
        self.taps = Taps(names, chosen, known, guard)
        self.taps.attach()
        self._note = guard(self._going_back)
        begin(self._note)

    def close(self) -> None:
        """Take all hooks away."""
        self.taps.remove()
        end(self._note)
        self._closed = True

    def _going_back(self, tensors: Any) -> Callable[[], None] | None:
        """Before gradients are computed: read the loss, and whether gradients of the step before are still there."""
        loss = tensors[0] if isinstance(tensors, (tuple, list)) and tensors else tensors
        if not isinstance(loss, torch.Tensor) or loss.numel() != 1 or not self.taps.forwards:
            return None
        # Of several models that train in turns, each loss is of its own.
        if not is_of(loss, {id(own) for own in self._parameters.values()}):
            return None
        # Those that no optimiser holds, none sets to zero. Where gradients are summed over parts of a batch, they were
        # zero before the first; where two models train against each other, before the model's own.
        held = [own for name, own in self._parameters.items() if name in self._held]
        left = any(size > 0 for size in norms([own.grad for own in held if own.grad is not None]))
        self._left_over = left and (self.back is None or self._left_over)
        self.back = backward_of(loss)
        return self._after_backward

    def _gone_back(self) -> None:
        """After gradients are computed: some of them as they came, of all parts of a batch so far."""
        # Where the optimiser steps while going back, the look is made already.
        if not self._closed:
            matrices = [(name, own.grad) for name, own in self._parameters.items() if own.dim() > 1]
            self._came = {name: some_values(_filled(own)) for name, own in matrices if own is not None}

    def before_update(self, parameters: list[torch.Tensor]) -> None:
        """As the optimiser gets them: norms and gradients, and some weights to be held against what they become."""
        names = {id(own): name for name, own in self._parameters.items()}
        for own in parameters:
            name = names.get(id(own))
            if name is None or own.dim() < 2:
                continue
            if own.grad is not None:
                values = _filled(own.grad)
                self._gradients[name] = size_of(values), some_values(values)
            self._before[name] = some_values(own, MOST_WEIGHTS), size_of(own)

    def look(self, step: int, constant: Constant, model: nn.Module, held: set[str], hiding: Mapping[str, str]) -> Look:
        """What was seen, once the step is made."""
        back = self.back
        scale = back.scale if back and back.scale and math.isfinite(back.scale) else 1.0
        parameters = self._all
        functions = looks_of(self.taps.places.values(), scale)
        weights, clipped = self._weights()
        return Look(
            step,
            back.loss if back else math.nan,
            constant,
            functions,
            weights,
            scale,
            self._facts(parameters, held)
            | {"clipped": clipped, "dropout": dict(_dropouts(model)), "training": model.training},
            {**hiding, **dict(self._idle(parameters))},
        )

    def _weights(self) -> tuple[tuple[WeightLook, ...], float]:
        """Every matrix before and after the step; and by how much gradients were clipped."""
        known = self._gradients
        counts = dict(zip(known, histograms([some for _, some in known.values()], gradient=True), strict=True))
        used = dict(zip(known, numbers([size for size, _ in known.values()]), strict=True))
        zeros = {name: 1 - np.count_nonzero(some) / max(some.size, 1) for name, (_, some) in known.items()}
        sizes = numbers([size for _, size in self._before.values()])
        weights = [
            WeightLook(
                name.removesuffix(".weight"),
                size,
                used.get(name, math.nan),
                _ratio(some, some_values(self._all[name], MOST_WEIGHTS)),
                zeros.get(name, math.nan),
                counts[name].copy() if name in counts else np.zeros(0, np.int64),
            )
            for (name, (some, _)), size in zip(self._before.items(), sizes, strict=True)
        ]
        return tuple(weights), self._clipped()

    def _facts(self, parameters: Mapping[str, torch.Tensor], held: set[str]) -> dict[str, object]:
        back, taps = self.back, self.taps
        trainable = {name: own for name, own in parameters.items() if own.requires_grad}
        return {
            "forwards": taps.forwards,
            "finite_input": taps.finite_input,
            "left_over_gradient": self._left_over,
            "evaluating": dict(taps.evaluating),
            "single_sample_normalised": sorted(taps.alone),
            "without_gradient": [name for name, own in trainable.items() if name in held and own.grad is None],
            "not_in_optimiser": [name for name in trainable if name not in held],
            "loss_seen": back is not None,
            "loss_kind": back.kind if back else "",
            "before_loss": list(back.before) if back else [],
            "linear": bool(back and back.is_linear),
            **self.begun,
        }

    def _idle(self, parameters: Mapping[str, torch.Tensor]) -> Iterator[tuple[str, str]]:
        """Layers that did not run, or ran without gradients."""
        owners: dict[str, bool] = {}
        for name, own in parameters.items():
            owner = name.rpartition(".")[0]
            owners[owner] = owners.get(owner, True) and own.grad is None
        for owner, without in owners.items():
            if without and owner not in self.taps.ran:
                yield owner, "it did not run in this step"

    def _clipped(self) -> float:
        """The gradient as it was used over that as it came, of some weights, both unscaled; 1 where nothing was cut."""
        pairs = [(self._came[name], used) for name, (_, used) in self._gradients.items() if name in self._came]
        with np.errstate(all="ignore"):
            came = math.hypot(*(math.sqrt(np.dot(own, own)) for own, _ in pairs))
            used = math.hypot(*(math.sqrt(np.dot(own, own)) for _, own in pairs))
        factor = self.back.scale if self.back and self.back.scale >= LEAST_SCALE else 1.0
        return used * factor / came if came and math.isfinite(came) else math.nan


def _filled(gradient: torch.Tensor) -> torch.Tensor:
    return gradient.coalesce().values() if gradient.is_sparse else gradient


def _ratio(before: Array, after: Array) -> float:
    """‖ΔW‖₂ / ‖W‖₂ of some weights."""
    with np.errstate(all="ignore"):
        moved, whole = after - before, math.sqrt(np.dot(before, before))
        distance = math.sqrt(np.dot(moved, moved))
    return distance / whole if whole else (math.inf if distance else 0.0)


_DROPOUT = nn.modules.dropout._DropoutNd


def _weights_at_start(model: nn.Module) -> dict[str, object]:
    """Matrices that are all zero, or have all rows equal, before the first step."""
    zero, alike = [], []
    for name, own in model.named_parameters():
        # A number for each row is a factor, as of a scaled residual, and no matrix.
        if own.dim() < 2 or own.numel() == len(own) or not own.requires_grad or own.is_sparse:
            continue
        values = own.detach()
        if not bool(values.any()):
            zero.append(name.removesuffix(".weight"))
        elif len(values) > 1 and bool((values == values[:1]).all()):
            alike.append(name.removesuffix(".weight"))
    return {"zero_weights": zero, "alike_weights": alike}


def _check(model: nn.Module, every: int) -> None:
    """Raise InvalidModel where a model cannot be watched."""
    if not isinstance(model, nn.Module):
        raise InvalidModel(f"a PyTorch module is expected, not {type(model).__name__}: give the model itself.")
    if model in _watched:
        raise InvalidModel("this model is being watched: call remove() of that watch first, or leave its with block.")
    if not any(own.requires_grad for own in model.parameters()):
        raise InvalidModel("this model has no parameters that train: there is nothing to watch.")
    if not isinstance(every, int) or every < 1:
        raise InvalidModel(f"every={every!r}: a whole number of steps of 1 or more is expected.")


def _own_functions(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Activation functions that are modules of other people's, or ours, with the name of what they compute."""
    found = set(find(model).activations)
    for name, module in model.named_modules():
        if name in found and (is_foreign(module) or isinstance(module, Activation)):
            yield named_function(module), module


def _hiding(model: nn.Module) -> Iterator[tuple[str, str]]:
    """Modules whose functions no hook reaches, and why."""
    for name, module in model.named_modules():
        kinds = [kind.__name__ for kind in type(module).__mro__]
        reason = next((HIDING[kind] for kind in kinds if kind in HIDING), None)
        if reason:
            yield name, reason


def _dropouts(model: nn.Module) -> Iterator[tuple[str, float]]:
    for name, module in model.named_modules():
        if isinstance(module, _DROPOUT):
            yield name, module.p


def _counts(classes: np.ndarray) -> np.ndarray:
    """How often each class that there is comes."""
    if classes.size and classes.min() >= 0 and classes.max() < MOST_CLASSES:
        counts = np.bincount(classes)
        return counts[counts > 0]
    return np.unique(classes, return_counts=True)[1]


def constant_of(kind: str, targets: list[np.ndarray]) -> Constant:
    """The best constant answer for some targets: of several steps, as many as were kept.

    >>> constant_of("cross-entropy", [np.array([0, 0, 1]), np.array([1])])
    Constant(loss=0.6931471805599453, majority=0.5, samples=4)
    """
    if not kind or not targets:
        return Constant()
    if kind == "cross-entropy":
        counts = _counts(np.concatenate(targets))
        shares = counts / counts.sum()
        return Constant(float(-(shares * np.log(shares)).sum()), float(shares.max()), int(counts.sum()))
    width = targets[-1].shape[1]
    values = np.concatenate([own for own in targets if own.shape[1] == width]).astype(float)
    if kind in ("binary", "probabilities"):
        means = np.clip(values.mean(axis=0), 1e-12, 1 - 1e-12)
        entropy = -(means * np.log(means) + (1 - means) * np.log1p(-means))
        majority = float(np.maximum(means, 1 - means).mean())
        return Constant(float(entropy.mean()), majority, len(values))
    if kind == "squared":
        return Constant(float(values.var(axis=0).mean()), samples=len(values))
    return replace(Constant(), samples=len(values))
