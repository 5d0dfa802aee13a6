"""A member trained in a Keras model and loop of a user's own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

from actlab.errors import ActlabError, InvalidModel
from actlab.functions import activation_named
from actlab.keras import Activation
from actlab.laboratory.own_loop.job import Clock, Job, outcome, python_randomness, reason_of, takes_act, trained
from actlab.laboratory.own_loop.kept import Outcome
from actlab.laboratory.own_loop.telling import MemberWatch, Misused, Row
from actlab.objectives.own import known_metric

# What Keras calls metrics that have another name here; every accuracy is one.
_NAMES = {
    "acc": "accuracy",
    "f1_score": "f1",
    "mean_absolute_error": "mae",
    "r2_score": "r2",
    "root_mean_squared_error": "rmse",
}


class KerasWatch(MemberWatch):
    """Given to a training of one's own: tell it of every epoch, or give its `callback` to `fit`.

    Attributes:
        callback: enters what `fit` logs after each epoch: "loss" as train_loss, "val_loss" as validation_loss.
        skipped: names of logged metrics of which nobody has said which values are better.
    """

    def __init__(self, better: Mapping[str, str], model: keras.Model) -> None:
        super().__init__(better, lambda: _steps(model))
        self.skipped: dict[str, None] = {}
        self.callback: keras.callbacks.Callback = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs=None: self.log(logs or {})
        )

    def log(self, logs: Mapping[str, Any]) -> None:
        """Enter an epoch by what Keras logs of it."""
        found: dict[str, Any] = {}
        for key, value in logs.items():
            part, name = ("validation", key[4:]) if key.startswith("val_") else ("train", key)
            name = "accuracy" if name.endswith("_accuracy") and name not in self.better else _NAMES.get(name, name)
            if known_metric(name, self.better.get(name)) is None:
                if name != "learning_rate":
                    self.skipped[name] = None
            else:
                found.setdefault(f"{part}_{name}", value)
        self.epoch(**found)

    def result(self, value: Any, score: str) -> dict[str, float]:
        """What a training returned: a History tells of its epochs, where nothing else did."""
        history = getattr(value, "history", None)
        if not isinstance(history, dict):
            return super().result(value, score)
        if not self.rows and history:
            for epoch in range(max(map(len, history.values()))):
                self.log({name: values[epoch] for name, values in history.items() if epoch < len(values)})
            # They were told when all was trained.
            self.rows = [Row(row.metrics, number) for number, row in enumerate(self.rows, 1)]
        return {}


class Act:
    """Gives the activation function under study to `build`.

    Attributes:
        name: of the function.
        inputs_per_unit: how many inputs make one unit: 1, or 2 of gated units as swiglu, before which a layer is twice
            as wide as behind them.
        made: how many layers it has given.
    """

    def __init__(self, name: str, seed: int) -> None:
        function = activation_named(name)
        self._seed = seed
        self.name = function.name
        self.inputs_per_unit = function.inputs_per_unit()
        self.made = 0

    def __call__(self, place: str | None = None, **settings: Any) -> Activation:
        """A new layer of the function.

        Args:
            place: its name.
            **settings: of `actlab.keras.Activation`: `axis`, `per_unit`.
        """
        self.made += 1
        # With a seed of its own it shifts nothing that the layers after it draw.
        seed = (self._seed * 1_000_003 + self.made) % 2**31
        return Activation(self.name, **{"name": place, "seed": seed, **settings})


def train_member(job: Job) -> Outcome:
    """Build and train a member, and tell what it left; Python's and NumPy's randomness is as it was."""
    with python_randomness():
        keras.utils.set_random_seed(job.seed)
        model, told = _built(job)
        clock, watch = Clock(), KerasWatch(job.better, model)
        with _factor(job.factor) as scaled:
            keras.utils.set_random_seed(job.seed)
            result, raised = trained(job, model, watch)
        if job.factor != 1.0 and not scaled and raised is None:
            raise Misused(
                f"learning_rates: no optimiser of Keras stepped, so that the factor {job.factor:g} was never applied: "
                "leave learning_rates out."
            )
        parameters = sum(int(np.prod(own.shape)) for own in model.trainable_weights)
        told |= {"parameters": parameters, "seconds": clock.seconds(), "stopped": None, "skipped": list(watch.skipped)}
        return outcome(job, watch, result, raised, None, told)


def check(jobs: Sequence[Job]) -> None:
    """Build one model with each activation, to find what is wrong before anything is trained.

    Args:
        jobs: one for each activation.

    Raises:
        InvalidModel: `build` raises, takes no `act`, returns no model, or the same one twice.
    """
    with python_randomness():
        before: Any = None
        for job in (*jobs, jobs[0]) if len(jobs) == 1 else jobs:
            keras.utils.set_random_seed(job.seed)
            model, _ = _built(job)
            shared = {id(own) for own in getattr(before, "weights", ())} & {id(own) for own in model.weights}
            if before is model or shared:
                what = "the same model twice" if before is model else "models that share weights"
                raise InvalidModel(
                    f"build returns {what}: make everything new at each call, for each is trained from its start."
                )
            before = model


def _built(job: Job) -> tuple[Any, dict[str, Any]]:
    """A model with the activation, and what is known of it."""
    if not takes_act(job.build):
        raise InvalidModel(
            "build(act) is expected: in a Keras model functions are not exchanged afterwards; put the layer act() "
            "where the function goes."
        )
    act = Act(job.activation, job.seed)
    try:
        model = job.build(act)
    except ActlabError:
        raise
    except Exception as error:
        raise InvalidModel(f"build raised {reason_of(error)} (with {job.activation}).") from error
    if not isinstance(model, keras.Model):
        raise InvalidModel(f"build returned {type(model).__name__}: a keras.Model is expected.")
    if not act.made:
        raise InvalidModel(
            "build(act) never called act(): all functions would be in the same network. Put the layer act() where the "
            "function goes."
        )
    own = {id(weight) for layer in model._flatten_layers() if isinstance(layer, Activation) for weight in layer.weights}
    weights = [weight for weight in model.weights if id(weight) not in own and weight.dtype != "uint32"]
    shapes, start = hashlib.sha256(), hashlib.sha256()
    for weight in weights:
        shapes.update(str(tuple(weight.shape)).encode())
        start.update(np.asarray(keras.ops.convert_to_numpy(weight.value), np.float32).tobytes())
    return model, {"shapes": shapes.hexdigest()[:16], "start": start.hexdigest()[:16]}


def _steps(model: Any) -> int:
    """How many steps the optimiser of a compiled model has made; 0 where it is not known."""
    optimiser: Any = getattr(model, "optimizer", None)
    try:
        return int(np.asarray(keras.ops.convert_to_numpy(optimiser.iterations.value)))
    except Exception:  # Without one, before it is built, or within a compiled step.
        return 0


@contextmanager
def _factor(factor: float) -> Iterator[list[bool]]:
    """Multiply learning rates by a factor within the steps of optimisers; who asks between steps is told as before.

    Gives a list that holds something once that was done.
    """
    done: list[bool] = []
    if factor == 1.0:
        yield done
        return
    owner = _defining("_get_current_learning_rate"), _defining("apply")
    rate, apply = vars(owner[0])["_get_current_learning_rate"], vars(owner[1])["apply"]
    within: list[bool] = []

    def multiplied(optimiser: Any) -> Any:
        asked = rate(optimiser)
        return asked * factor if within else asked

    def applied(optimiser: Any, *arguments: Any, **settings: Any) -> Any:
        within.append(True)
        done[:] = [True]
        try:
            return apply(optimiser, *arguments, **settings)
        finally:
            within.pop()

    owner[0]._get_current_learning_rate, owner[1].apply = multiplied, applied
    try:
        yield done
    finally:
        owner[0]._get_current_learning_rate, owner[1].apply = rate, apply


def _defining(name: str) -> Any:
    """The class of Keras' optimisers that defines a method."""
    found = next((own for own in keras.optimizers.Optimizer.__mro__ if name in vars(own)), None)
    if found is None:
        raise Misused(f"learning_rates: this version of Keras has no {name} in its optimisers: leave them out.")
    return found
