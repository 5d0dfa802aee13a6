"""Functions compared in a Keras model and loop of a user's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras

from actlab.laboratory.own_loop import comparison, keras_process
from actlab.laboratory.own_loop.keras_member import check, train_member
from actlab.views.figures.recording import Recording


def _has_accelerator() -> bool:
    match keras.backend.backend():
        case "jax":
            import jax

            return jax.default_backend() != "cpu"
        case "torch":
            import torch

            return torch.accelerator.is_available()
        case "tensorflow":
            import tensorflow

            return bool(tensorflow.config.list_physical_devices("GPU"))
        case _:
            return False


def compare(
    build: Callable[..., keras.Model], train: Callable[..., Any], activations: Sequence[str],
    seeds: int | Sequence[int], directory: str | Path, *, learning_rates: str | float | Sequence[float] = (1.0,),
    tuning_seeds: Sequence[int] = (), score: str = "test_score", better: Mapping[str, str] | None = None,
    metric: str | None = None, baseline: str | None = None, processes: int | None = None,
) -> Recording:  # fmt: skip
    """Compare activation functions in a Keras model and a training of your own.

    All is as with `actlab.torch.compare`, but that nothing is looked at inside the models: metrics alone are recorded.
    Seeds are set by `keras.utils.set_random_seed`.

    Args:
        build: `build(act)` returns a new `keras.Model`, in which `act()` gives the activation under study as a layer.
        train: `train(model, seed, watch)`, which compiles and fits. `watch.callback` among the callbacks of `fit`
            enters every epoch; or `watch.epoch(…)` is called; or the History that `fit` gives is returned. A
            mapping that is returned, as `{"test_accuracy": …}`, is entered at the end.
        activations, seeds, directory, learning_rates, tuning_seeds, score: as there.
        better: as there; metrics that Keras logs, and of which this is not known, are left out, and that is said.
        metric, baseline, processes: as there.

    Returns:
        the recording.

    Raises:
        InvalidModel, UnknownName, InvalidStudy, InvalidRecording: as there.
    """
    prepare = partial(keras_process.prepare, keras.backend.backend())
    framework = comparison.Framework("Keras", train_member, check, _has_accelerator, prepare)
    asked = comparison.Options(learning_rates, tuple(tuning_seeds), score, dict(better or {}), metric, 50, processes)
    return comparison.compare(framework, build, train, activations, seeds, Path(directory), asked, baseline)
