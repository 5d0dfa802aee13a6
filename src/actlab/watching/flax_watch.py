"""A Flax NNX training watched: a compiled step runs no Python, so that its loop says when a step was made.

What is looked at is a probe batch's: functions, gradients and the loss; updates are those of the training's own steps.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

import jax
import numpy as np
from flax import nnx

from actlab.errors import InvalidModel, tell
from actlab.watching.constant import constant_of
from actlab.watching.flax_pass import Pass, Passed, path_name
from actlab.watching.looks import Constant, Look, keep
from actlab.watching.losses import Loss, known_loss
from actlab.watching.values import FIRST_STEPS, alike_at_start, is_matrix

_watched: dict[int, weakref.ref[Any]] = {}
_OPERATIONS = {
    "softmax": "SoftmaxBackward0",
    "log_softmax": "LogSoftmaxBackward0",
    "sigmoid": "SigmoidBackward0",
    "relu": "ReluBackward0",
    "tanh": "TanhBackward0",
}


class FlaxWatch:
    """Looks at a module while it trains; ends by `remove`, or by the end of a `with` block.

    Attributes:
        looks: what was seen, step by step.
        findings: what is wrong, by whoever judges the looks.
        steps: of the training, so far: how often `step` was called.
        stopped: why watching ended by itself; None while it goes on.
    """

    def __init__(
        self, model: nnx.Module, probe: Any, loss: Callable[[Any, Any], Any] | None, *, every: int = 50,
        include: str = "*", exclude: str = "", on_look: Callable[[Look], None] = lambda _: None,
    ) -> None:  # fmt: skip
        """Begin to watch: the model is looked at as it is, before its first step; see `actlab.watch`."""
        _check(model, every)
        self._x, self._y = _probe(probe)
        if not callable(loss):
            raise InvalidModel(
                "loss: a function of (outputs, y) is expected, as optax.softmax_cross_entropy_with_integer_labels: a "
                "compiled step does not tell what it trains by."
            )
        self._own, self._loss = weakref.ref(model), loss
        self._every, self.on_look, self.on_end = every, on_look, _nothing
        self._chosen = lambda name: fnmatchcase(name, include) and not (exclude and fnmatchcase(name, exclude))
        self._pass: Pass | None = None
        self._known, self._constant = Loss(), Constant()
        self._still = False
        self.looks: list[Look] = []
        self.findings: list[Any] = []
        self.steps = 0
        self.stopped: str | None = None
        try:
            self._seen: tuple[Passed, dict[str, object]] | None = self._look_before(model)
        except Exception as error:
            shapes = [tuple(np.shape(own)) for own in jax.tree.leaves((self._x, self._y))]
            reason = " ".join(str(error).split())[:300]
            raise InvalidModel(
                f"the model or its loss does not take the probe, of shapes {shapes}: {reason}"
            ) from error
        _watched[id(model)] = weakref.ref(model)

    def __enter__(self) -> FlaxWatch:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def remove(self) -> None:
        """Watch no longer. Again, it does nothing."""
        model = self._own()
        if model is not None:
            _watched.pop(id(model), None)
        self._own = lambda: None
        self._pass = self._seen = None
        end, self.on_end = self.on_end, _nothing
        end()

    def step(self, model: nnx.Module | None = None) -> None:
        """Say that a step of the training was made: once for each, after it.

        Between looks it counts and does nothing else. What fails in it never ends a training.

        Args:
            model: as it is now, where the training goes on with copies of what is watched.
        """
        own = self._own()
        if own is None or self.stopped is not None:
            return
        try:
            before, self.steps = self.steps, self.steps + 1
            now = own if model is None else model
            if self._seen is not None:
                self._look_after(now, before)
            if self.steps in FIRST_STEPS or self.steps % self._every == 0:
                self._seen = self._look_before(now)
        except Exception as error:  # Whatever it is, the training goes on.
            self._stop(error)

    def _stop(self, error: Exception) -> None:
        text = " ".join(str(error).split())[:300]
        self.stopped = f"{type(error).__name__}: {text}"
        self.remove()
        tell(
            f"watching ended at step {self.steps} ({type(error).__name__}: {text}); the training goes on, and what was "
            "seen before is kept.",
            stacklevel=3,
        )

    def _look_before(self, model: nnx.Module) -> tuple[Passed, dict[str, object]]:
        # Modes, as of dropout, are part of the structure: in another one it is another program.
        if self._pass is None or nnx.graphdef(model) != self._pass.structure:
            self._pass = Pass(model, self._x, self._y, self._loss, self._chosen)
        seen = self._pass(model)
        if not self.looks and self.steps == 0 and seen.outputs is not None and isinstance(self._y, np.ndarray):
            self._known = self._known_loss(seen.outputs.shape, self._y)
            targets = [self._known.targets] if self._known.targets is not None else []
            self._constant = constant_of(self._known.kind, targets, bend=0.0)
        return seen, self._facts(model, seen)

    def _known_loss(self, shape: tuple[int, ...], y: np.ndarray) -> Loss:
        try:
            return known_loss(lambda outputs: float(np.mean(self._loss(outputs, y))), shape, y)
        except Exception:  # A user's own may take nothing but what the model gives.
            return Loss()

    def _look_after(self, model: nnx.Module, step: int) -> None:
        assert self._seen is not None
        assert self._pass is not None
        (seen, facts), self._seen = self._seen, None
        after = self._pass.samples(model)
        weights = tuple(own.look(now) for own, now in zip(seen.weights, after, strict=True))
        look = Look(
            step, seen.loss / self._known.factor, self._constant, seen.functions, weights, 1.0, facts, seen.unseen
        )
        keep(self.looks, look)
        self._tell_if_still(look)
        self.on_look(look)

    def _tell_if_still(self, look: Look) -> None:
        """Say once that the model does not move though it has a gradient: most likely a copy of it is trained."""
        moved = any(own.update_ratio != 0 for own in look.weights)
        if not moved and not self._still and any(own.gradient_norm > 0 for own in look.weights):
            self._still = True
            tell(
                f"the weights of the model that is watched did not move in step {look.step}: where copies of it are "
                "trained, give the one of now to step(model); and call step() after each step, not before.",
                stacklevel=5,
            )

    def _facts(self, model: nnx.Module, seen: Passed) -> dict[str, object]:
        facts: dict[str, object] = {
            "framework": "flax",
            "forwards": 1,
            "finite_input": all(_is_finite(own) for own in jax.tree.leaves(self._x)),
            "without_gradient": list(seen.without_gradient),
            "loss_seen": True,
            "loss_kind": self._known.kind,
            "before_loss": self._before_loss(seen.last),
            "linear": seen.linear,
            "dropout": dict(_dropouts(model)),
        }
        if self.steps == 0:
            facts |= _weights_at_start(model)
        return facts

    def _before_loss(self, last: str | None) -> list[str]:
        """Operations from the loss on; "unknown" where they are not known."""
        if last is None or not self._known.kind:
            return ["unknown"]
        own = [_OPERATIONS.get(last, last)] if last else []
        if self._known.kind != "cross-entropy":
            return own
        if self._known.logits:
            return ["LogSoftmaxBackward0", *own]
        return ["LogBackward0", *own] if last == "softmax" else own


def _dropouts(model: nnx.Module) -> list[tuple[str, float]]:
    return [
        (".".join(map(str, path)), float(module.rate))
        for path, module in nnx.iter_modules(model)
        if isinstance(module, nnx.Dropout)
    ]


def _weights_at_start(model: nnx.Module) -> dict[str, object]:
    """Matrices that are all zero, or have all units alike, before the first step."""
    found: dict[str, list[str]] = {"zero": [], "alike": []}
    # Units of a layer that joins all inputs stay alike for certain.
    layers: list[str] = []
    for path, value in jax.tree_util.tree_flatten_with_path(nnx.state(model, nnx.Param))[0]:
        name, values = path_name(path), np.asarray(value)
        if not is_matrix(name, values.shape):
            continue
        alike = alike_at_start(name, values, 0 if name.endswith("embedding") else -1)
        if alike:
            found[alike].append(name.removesuffix(".kernel").removesuffix(".embedding"))
        if alike == "alike" and values.ndim == 2 and name.endswith(".kernel"):
            layers.append(name.removesuffix(".kernel"))
    return {"zero_weights": found["zero"], "alike_weights": found["alike"], "alike_layers": layers}


def _is_finite(value: Any) -> bool:
    own = np.asarray(value)
    return own.dtype.kind != "f" or bool(np.isfinite(own).all())


def _check(model: Any, every: int) -> None:
    """Raise InvalidModel where a model cannot be watched."""
    if not isinstance(model, nnx.Module):
        raise InvalidModel(f"a flax.nnx.Module is expected, not {type(model).__name__}.")
    if id(model) in _watched and _watched[id(model)]() is model:
        raise InvalidModel("this model is being watched: call remove() of that watch first, or leave its with block.")
    if not jax.tree.leaves(nnx.state(model, nnx.Param)):
        raise InvalidModel("this model has no parameters that train: there is nothing to watch.")
    if isinstance(every, bool) or not isinstance(every, int) or every < 1:
        raise InvalidModel(f"every={every!r}: a whole number of steps of 1 or more is expected.")


def _probe(probe: Any) -> tuple[tuple[Any, ...], Any]:
    """What the model is called with, and what its loss takes.

    Raises:
        InvalidModel: there is none.
    """
    way_out = "give some samples of the training data, watch(model, probe=(x[:256], y[:256]), loss=...)"
    if probe is None:
        raise InvalidModel(f"a compiled step shows nothing of its batch, so a probe batch is needed: {way_out}.")
    if not isinstance(probe, (tuple, list)) or len(probe) != 2:
        raise InvalidModel(f"probe: a pair (x, y) is expected, not {type(probe).__name__}: {way_out}.")
    x, y = jax.tree.map(np.asarray, tuple(probe))
    return (x if isinstance(x, tuple) else (x,)), y


def _nothing() -> None:
    """What is called at the end, where nobody listens."""


def count_parameters(model: nnx.Module) -> int:
    """How many numbers of a module are trained."""
    return sum(int(np.size(leaf)) for leaf in jax.tree.leaves(nnx.state(model, nnx.Param)))
