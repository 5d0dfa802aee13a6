"""A Keras training watched: a callback that looks at the model with a probe batch before some of its steps.

A callback of Keras never gets the batch. What is looked at is therefore the probe's, as in training (batch statistics,
dropout): functions, gradients and the loss; updates are those of the training's own steps.
"""

from __future__ import annotations

import math
import re
import weakref
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from functools import wraps
from typing import Any

import keras
import numpy as np
from keras.src.backend import compute_output_spec  # pyright: ignore[reportMissingImports]

from actlab.errors import InvalidModel, tell
from actlab.watching.constant import constant_of
from actlab.watching.keras_facts import before_loss, dropouts, is_linear, known_loss_of
from actlab.watching.keras_pass import Pass, Passed, matrix_name
from actlab.watching.keras_taps import layers_of, named_layers
from actlab.watching.looks import Constant, Look, keep
from actlab.watching.losses import Loss
from actlab.watching.values import FIRST_STEPS, alike_at_start

_watched: weakref.WeakKeyDictionary[keras.Model, Any] = weakref.WeakKeyDictionary()
SEVERAL = "a call of the training's makes several steps: what one of them changes is not seen"
OWN_CODE = "its call is the user's own: functions in it that are not Keras' are not seen"


class KerasWatch(keras.callbacks.Callback):
    """Looks at a model while it trains: given to `fit(callbacks=[...])`; ends by `remove`.

    Attributes:
        looks: what was seen, step by step.
        findings: what is wrong, by whoever judges the looks.
        steps: of the training, so far.
        stopped: why watching ended by itself; None while it goes on.
    """

    def __init__(
        self, model: keras.Model, probe: Any, *, every: int = 50, include: str = "*", exclude: str = "",
        on_look: Callable[[Look], None] = lambda _: None,
    ) -> None:  # fmt: skip
        """Begin to watch; see `actlab.watch`."""
        super().__init__()
        _check(model, every)
        self._x, self._y = _probe(model, probe)
        self._own = weakref.ref(model)
        self._every, self.on_look, self.on_end = every, on_look, _nothing
        self._chosen = lambda name: fnmatchcase(name, include) and not (exclude and fnmatchcase(name, exclude))
        self._pass: Pass | None = None
        self._made_for: Any = None
        self._loss, self._constant, self._is_known = Loss(), Constant(), False
        self._seen: tuple[Passed, dict[str, object]] | None = None
        self._first = 0
        self.looks: list[Look] = []
        self.findings: list[Any] = []
        self.steps = 0
        self.stopped: str | None = None
        _watched[model] = self

    def __enter__(self) -> KerasWatch:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def remove(self) -> None:
        """Watch no longer, though the callback may still be called. Again, it does nothing."""
        model = self._own()
        if model is not None and _watched.get(model) is self:
            del _watched[model]
        self._own = lambda: None
        self._pass = self._made_for = self._seen = None
        end, self.on_end = self.on_end, _nothing
        end()

    def set_model(self, model: Any) -> None:
        """Called by Keras: the model that it trains."""
        own = self._own()
        if own is not None and getattr(model, "module", model) is not own and model is not own:
            self._stop(InvalidModel("it was given to the training of another model than the one that is watched."))
        super().set_model(model)

    def on_train_begin(self, logs: Any = None) -> None:
        """Called by Keras."""
        self._guarded(self._prepare)()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Called by Keras, before a step or several."""
        if self.stopped is None and self._pass is not None and self._is_due():
            self._first = batch
            self._guarded(self._look_before)()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Called by Keras, after a step or several."""
        if self.stopped is None and self._own() is not None:
            before, self.steps = self.steps, self.steps + self._at_once(batch)
            if self._seen is not None:
                self._guarded(self._look_after)(before)

    def on_train_end(self, logs: Any = None) -> None:
        """Called by Keras."""
        self._seen = None

    def _guarded(self, own: Callable[..., Any]) -> Callable[..., Any]:
        """What fails in looking never ends a training: it ends the watching, and is told once."""

        @wraps(own)
        def called(*arguments: Any) -> Any:
            if self.stopped is None and self._own() is not None:
                try:
                    return own(*arguments)
                except Exception as error:  # Whatever it is, the training goes on.
                    self._stop(error)
            return None

        return called

    def _stop(self, error: Exception) -> None:
        text = " ".join(str(error).split())[:300]
        self.stopped = f"{type(error).__name__}: {text}"
        self.remove()
        tell(
            f"watching ended at step {self.steps} ({type(error).__name__}: {text}); the training goes on, and what was "
            "seen before is kept.",
            stacklevel=4,
        )

    def _prepare(self) -> None:
        """Make the pass, anew where the model was compiled again or other variables train."""
        model = self._own()
        assert model is not None
        made_for = (model.loss, model.optimizer, [id(own) for own in model.trainable_variables])
        if self._made_for is not None and _same(self._made_for, made_for):
            return
        if not model.trainable_variables:
            raise InvalidModel("this model has no parameters that train: there is nothing to watch.")
        self._pass = Pass(model, self._chosen)
        self._made_for, self._is_known = made_for, False

    def _is_due(self) -> bool:
        """Whether one of the next steps, of those that one call makes, is to be looked at."""
        model = self._own()
        several = int(getattr(model, "steps_per_execution", 1) or 1)
        return any(step in FIRST_STEPS or step % self._every == 0 for step in range(self.steps, self.steps + several))

    def _at_once(self, batch: int) -> int:
        several = int(getattr(self._own(), "steps_per_execution", 1) or 1)
        # Keras names the first step at the beginning of a call and the last one at its end.
        return batch - self._first + 1 if self._seen is not None and several > 1 else several

    def _look_before(self) -> None:
        assert self._pass is not None
        model: Any = self.model  # On JAX this brings the variables up to date, which are elsewhere during `fit`.
        seen = self._pass(self._x, self._y)
        if not self._is_known:
            self._know_loss(model, seen)
        self._seen = seen, self._facts(model, seen)

    def _know_loss(self, model: Any, seen: Passed) -> None:
        self._is_known, self._loss = True, Loss()
        if seen.outputs is not None and isinstance(self._y, np.ndarray):
            self._loss = known_loss_of(model, seen.outputs, self._y)
        targets = [self._loss.targets] if self._loss.targets is not None else []
        self._constant = constant_of(self._loss.kind, targets, bend=0.0)

    def _look_after(self, step: int) -> None:
        assert self._seen is not None
        assert self._pass is not None
        model: Any = self.model
        (seen, facts), self._seen = self._seen, None
        alone = self.steps == step + 1
        after = self._pass.samples() if alone else [None] * len(seen.weights)
        weights = tuple(own.look(now) for own, now in zip(seen.weights, after, strict=True))
        if getattr(model.optimizer, "gradient_accumulation_steps", None) and all(
            own.update_ratio == 0 for own in weights
        ):
            weights = tuple(own.look(None) for own in seen.weights)
        look = Look(
            step,
            (seen.loss - (seen.penalty if self._loss.kind else 0.0)) / self._loss.factor,
            self._constant,
            seen.functions,
            weights,
            1.0,
            facts,
            self._unseen(model, seen, alone=alone),
        )
        keep(self.looks, look)
        self.on_look(look)

    def _facts(self, model: Any, seen: Passed) -> dict[str, object]:
        assert self._pass is not None
        facts: dict[str, object] = {
            "framework": "keras",
            "forwards": 1,
            "finite_input": all(_is_finite(own) for own in keras.tree.flatten(self._x)),
            "training": True,
            "without_gradient": list(seen.without_gradient),
            "loss_seen": True,
            "loss_kind": self._loss.kind,
            "before_loss": before_loss(model, self._loss, seen.last, self._pass.backend.undoes),
            "linear": is_linear(model) and not seen.functions,
            "dropout": dropouts(model, named_layers(model)),
        }
        clipped = _clipped(model.optimizer, seen)
        if clipped is not None:
            facts["clipped"] = clipped
        if self.steps == 0:
            facts |= _weights_at_start(self._pass)
        return facts

    def _unseen(self, model: Any, seen: Passed, *, alone: bool) -> dict[str, str]:
        unseen = dict(seen.unseen)
        loops = [id(own) for one in layers_of(model) if isinstance(one, keras.layers.RNN) for own in layers_of(one)]
        for own, name in [(model, "the model"), *((one, self._named(one)) for one in layers_of(model))]:
            if id(own) in loops:
                continue
            if own is not model and name not in seen.ran and own.trainable_variables:
                unseen.setdefault(name, "it did not run in this step")
            elif _is_own_code(own):
                unseen.setdefault(name, OWN_CODE)
        if not alone:
            unseen["updates"] = SEVERAL
        return unseen

    def _named(self, layer: Any) -> str:
        own: Any = self._own()
        return named_layers(own).get(id(layer), str(layer.name))


def _same(one: Any, other: Any) -> bool:
    return one[0] is other[0] and one[1] is other[1] and one[2] == other[2]


def _is_own_code(layer: Any) -> bool:
    """Whether what a layer computes is written by neither Keras nor us."""
    home = next((kind.__module__ for kind in type(layer).__mro__ if "call" in vars(kind)), "keras.")
    return not home.startswith(("keras.", "keras_", "actlab."))


def _is_finite(value: Any) -> bool:
    return value.dtype.kind != "f" or bool(np.isfinite(value).all())


def _check(model: Any, every: int) -> None:
    """Raise InvalidModel where a model cannot be watched."""
    if not isinstance(model, keras.Model):
        raise InvalidModel(
            f"a keras.Model is expected, not the layer {type(model).__name__}: give the model that is trained."
        )
    if model in _watched:
        raise InvalidModel("this model is being watched: call remove() of that watch first, or leave its with block.")
    if not getattr(model, "compiled", False) or (model.loss is None):
        raise InvalidModel("this model is not compiled with a loss: call compile(optimizer, loss) before watch.")
    made = model.built and all(layer.built for layer in layers_of(model))
    if made and not model.trainable_variables:
        raise InvalidModel("this model has no parameters that train: there is nothing to watch.")
    if isinstance(every, bool) or not isinstance(every, int) or every < 1:
        raise InvalidModel(f"every={every!r}: a whole number of steps of 1 or more is expected.")


def _probe(model: keras.Model, probe: Any) -> tuple[Any, Any]:
    """The probe as arrays of NumPy, once it is known to fit.

    Raises:
        InvalidModel: there is none, or it does not fit the model.
    """
    way_out = "give some samples of the training data, watch(model, probe=(x[:256], y[:256]))"
    if probe is None:
        raise InvalidModel(f"a callback of Keras never gets the batch, so a probe batch is needed: {way_out}.")
    if not isinstance(probe, (tuple, list)) or len(probe) != 2:
        raise InvalidModel(f"probe: a pair (x, y) is expected, not {type(probe).__name__}: {way_out}.")
    x, y = (keras.tree.map_structure(_array, own) for own in probe)
    lengths = {own.shape[0] if own.ndim else 0 for own in keras.tree.flatten((x, y))}
    if len(lengths) != 1 or 0 in lengths:
        shapes = [tuple(own.shape) for own in keras.tree.flatten((x, y))]
        raise InvalidModel(f"probe: as many samples of x as of y are expected, one at least, not shapes {shapes}.")
    if model.built and model.trainable_variables:
        _check_fit(model, x, y)
    return x, y


def _check_fit(model: keras.Model, x: Any, y: Any) -> None:
    """Hold the shapes of a probe against those of a model."""
    shapes = [tuple(own.shape) for own in keras.tree.flatten(x)]
    given = keras.tree.map_structure(lambda own: keras.KerasTensor(own.shape, str(own.dtype)), x)
    try:
        outputs = keras.tree.flatten(compute_output_spec(model.__call__, given))
    except Exception as error:
        told = f"the model takes {model.input_shape}" if hasattr(model, "input_shape") else _plain(error)
        given = shapes[0] if len(shapes) == 1 else shapes
        raise InvalidModel(f"probe: x has shape {given}, which does not fit: {told}.") from error
    if len(outputs) != 1 or not isinstance(y, np.ndarray):
        return
    shape = tuple(outputs[0].shape)
    fits = y.shape in (shape, shape[:-1], (*shape[:-1], 1)) or y.ndim != len(shape)
    if not fits:
        raise InvalidModel(f"probe: y has shape {y.shape}, and what the model gives for x has {shape}.")


def _plain(error: Exception) -> str:
    """What an error says, in one line and without colours."""
    return " ".join(re.sub(r"\x1b\[\d+m", "", str(error)).split())[:200]


def _array(value: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(value) if keras.ops.is_tensor(value) else value)


def _clipped(optimiser: Any, seen: Passed) -> float | None:
    """What the optimiser's clipping leaves of the probe's gradient in all matrices; None where that is not known."""
    norms = np.array([own.gradient_norm for own in seen.weights])
    whole = float(np.sqrt((norms**2).sum()))
    if not math.isfinite(whole) or not whole:
        return None
    every, each = (getattr(optimiser, name, None) for name in ("global_clipnorm", "clipnorm"))
    if every is not None:
        return min(1.0, float(every) / whole)
    if each is not None:
        return float(np.sqrt((np.minimum(norms, float(each)) ** 2).sum())) / whole
    return None


def _weights_at_start(made: Pass) -> dict[str, object]:
    """Matrices that are all zero, or have all units alike, before the first step."""
    found: Mapping[str, list[str]] = {"zero": [], "alike": []}
    # Units of a layer that joins all inputs stay alike for certain.
    layers: list[str] = []
    for own in made.matrices():
        values = np.asarray(keras.ops.convert_to_numpy(own.value))
        name = matrix_name(made.parameters[id(own)])
        alike = alike_at_start(name, values, 0 if own.name == "embeddings" else -1)
        if alike:
            found[alike].append(name)
        if alike == "alike" and values.ndim == 2 and own.name != "embeddings":
            layers.append(name)
    return {"zero_weights": found["zero"], "alike_weights": found["alike"], "alike_layers": layers}


def _nothing() -> None:
    """What is called at the end, where nobody listens."""
