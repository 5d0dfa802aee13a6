"""A PyTorch training watched: at some steps functions, gradients and updates are looked at, between them nothing."""

from __future__ import annotations

import math
import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping, Set
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from actlab.errors import InvalidModel, tell
from actlab.torch.module import Activation
from actlab.torch.recognition import find, is_foreign, named_function
from actlab.watching.constant import constant_of
from actlab.watching.looks import Constant, Look, WeightLook, keep
from actlab.watching.torch_facts import is_finite_model, settings_of, still_alike, weights_at_start
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
# Up to this step some inputs are kept, and their scale is looked at.
LAST_SAMPLES = 20
# Gradients of the step before are left over where so many parameters have some: units that are dead have none.
NEARLY_ALL = 0.8
# A gradient scaler multiplies the loss by powers of two, from this on.
LEAST_SCALE = 2.0
# A step that is looked at runs eagerly: what compiled code would make of the hooks does not matter.
warnings.filterwarnings("ignore", message="Using `torch.compile.module.` when there are global hooks on modules")
_watched: weakref.WeakKeyDictionary[nn.Module, Any] = weakref.WeakKeyDictionary()


class TorchWatch:
    """Looks at a model while it trains; ends by `remove`, by the end of a `with` block, or with the model.

    Attributes:
        looks: what was seen, step by step.
        steps: of the optimiser that holds the model's parameters, so far.
        stopped: why watching ended by itself; None while it goes on.
        lost: whether weights were not finite when watching ended.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        every: int = 50,
        include: str = "*",
        exclude: str = "",
        on_look: Callable[[Look], None] = lambda _: None,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        """Begin to watch; see `actlab.watching`."""
        model = getattr(model, "_orig_mod", model)  # That of a compiled one.
        check_model(model)
        if not isinstance(every, int) or every < 1:
            raise InvalidModel(f"every={every!r}: a whole number of steps of 1 or more is expected.")
        self._model = weakref.ref(model)
        self._ids = {id(parameter): name for name, parameter in model.named_parameters()}
        self._known = {id(module): name for name, module in _own_functions(model)}
        self._names = {id(module): name for name, module in reversed(list(model.named_modules()))}
        self._hiding = dict(_hiding(model))
        self._every, self._on_look, self._on_end = every, on_look, on_end
        self._chosen = lambda name: fnmatchcase(name, include) and not (exclude and fnmatchcase(name, exclude))
        self._held: set[str] = set()
        self._optimisers: weakref.WeakKeyDictionary[Any, tuple[tuple[int, ...], bool]] = weakref.WeakKeyDictionary()
        self._targets: list[np.ndarray] = []
        self._alike: list[str] = []
        self._step: _Step | None = None
        self.looks: list[Look] = []
        self.steps = 0
        self.stopped: str | None = None
        self.lost = False
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
        hooks, self._hooks = self._hooks, []
        for hook in hooks:
            hook.remove()
        if self._step is not None:
            self._step.close()
            self._step = None
        model = self._model()
        if model is not None and _watched.get(model) is self:
            del _watched[model]
        if hooks:
            self.lost = model is not None and self.stopped is None and not is_finite_model(model)
            self._on_end()

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
            if self.steps == 0:
                self._step.begun = weights_at_start(model)
                self._alike = [*self._step.begun["zero_weights"], *self._step.begun["alike_weights"]]
            elif self._alike and self.steps <= LAST_SAMPLES:
                self._step.begun = {"still_alike": still_alike(model, self._alike)}
            if self.steps > LAST_SAMPLES:  # Data keep their scale.
                self._step.taps.input = {}

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
            self._step.settings |= settings_of(optimiser, self._ids, self._ids)

    def _after_step(self, optimiser: torch.optim.Optimizer, *_: Any) -> None:
        if not self._holds_some(optimiser):
            return
        step, self._step = self._step, None
        if step is not None:
            step.close()
            look = self._look(step)
            if look is not None:
                keep(self.looks, look)
                self._on_look(look)
        self.steps += 1
        self._arm()

    def _look(self, step: _Step) -> Look | None:
        model = self._model()
        if model is None:
            return None
        if step.back is not None and step.back.targets is not None:
            self._targets = [*self._targets[-15:], step.back.targets]
        back = step.back
        constant = constant_of(back.kind, self._targets, back.weights, back.bend) if back else Constant()
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
        self.begun: dict[str, Any] = {}
        self.settings: dict[str, object] = {}
        self._apart = False
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
        before = any(
            size > 0 for size in norms([own.grad for own in self._parameters.values() if own.grad is not None])
        )
        # Those that no optimiser holds, none sets to zero. Where gradients are summed over parts of a batch, they were
        # zero before the first; where two models train against each other, before the model's own.
        held = [own for name, own in self._parameters.items() if name in self._held]
        # Of two optimisers that take turns, one leaves what is the other's.
        sizes = norms([own.grad for own in held if own.grad is not None])
        left = sum(size > 0 for size in sizes) > NEARLY_ALL * len(self._parameters)
        self._left_over = left and (self.back is None or self._left_over)
        # Gone back through before, and set to zero since: that loss was another's.
        self._apart = self._apart or (self.back is not None and not before)
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
            | {
                "clipped": clipped,
                "dropout": dict(_dropouts(model)) | self.taps.dropped,
                "training": model.training,
            },
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
            "ungraded": sorted(taps.ungraded),
            "finite_targets": back is None or back.targets is None or bool(np.isfinite(back.targets).all()),
            "output_size": taps.output_size,
            "half": taps.half or any(own.dtype == torch.float16 for own in parameters.values()),
            "input": dict(taps.input or {}),
            "frozen": sorted({name.rpartition(".")[0] for name, own in parameters.items() if not own.requires_grad}),
            "shared_loss": self._apart,
            "loss_alone": back.alone if back and back.alone is not None else math.nan,
            "least_logged": back.logged if back else math.inf,
            "singular": sorted(back.singular) if back else [],
            "answers": dict(back.answers) if back else {},
            "target_range": _range(back),
            **self.settings,
            **self.begun,
            **self._sample(),
        }

    def _sample(self) -> dict[str, object]:
        """Some inputs with their targets; nothing where these are not one for each."""
        x, back = self.taps.sample, self.back
        if x is None or back is None or back.targets is None or len(back.targets) != self.taps.batch:
            return {}
        return {"sample": (x, back.targets[: len(x)])}

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


def _range(back: Backward | None) -> list[float]:
    """The smallest and largest target; empty where they are classes, or not known."""
    if back is None or back.targets is None or back.kind == "cross-entropy" or not back.targets.size:
        return []
    return [float(back.targets.min()), float(back.targets.max())]


def _filled(gradient: torch.Tensor) -> torch.Tensor:
    return gradient.coalesce().values() if gradient.is_sparse else gradient


def _ratio(before: Array, after: Array) -> float:
    """‖ΔW‖₂ / ‖W‖₂ of some weights."""
    with np.errstate(all="ignore"):
        moved, whole = after - before, math.sqrt(np.dot(before, before))
        distance = math.sqrt(np.dot(moved, moved))
    return distance / whole if whole else (math.inf if distance else 0.0)


_DROPOUT = nn.modules.dropout._DropoutNd


def check_model(model: nn.Module, *, watched: bool = True) -> None:
    """Raise InvalidModel where a model cannot be watched; `watched`: also where it is already."""
    if not isinstance(model, nn.Module):
        raise InvalidModel(f"a PyTorch module is expected, not {type(model).__name__}: give the model itself.")
    if watched and model in _watched:
        raise InvalidModel("this model is being watched: call remove() of that watch first, or leave its with block.")
    if not any(own.requires_grad for own in model.parameters()):
        raise InvalidModel("this model has no parameters that train: there is nothing to watch.")


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
