"""Which framework a model is of, and the watch of a Keras or Flax one."""

from __future__ import annotations

import atexit
from collections.abc import Callable
from pathlib import Path
from typing import Any

from actlab.errors import InvalidModel
from actlab.laboratory.listening import Listener, recorder_of
from actlab.watching.looks import Look

EXPECTED = "a torch.nn.Module, a keras.Model or a flax.nnx.Module is expected"


def framework_of(model: Any) -> str:
    """ "keras", "flax", "torch" or "", by the modules that the model's types come from; nothing is imported.

    On the PyTorch backend a Keras model is a module of PyTorch's, too, and may be one of Flax' on JAX.
    """
    homes = [f"{kind.__module__}." for kind in type(model).__mro__]
    for name, prefixes in (("keras", ("keras.",)), ("flax", ("flax.nnx.",)), ("torch", ("torch.",))):
        if any(home.startswith(prefixes) for home in homes):
            return name
    return ""


def refusal_of(model: Any) -> InvalidModel:
    """What to say of something that is no model of these."""
    homes = {kind.__module__.partition(".")[0] for kind in type(model).__mro__}
    if "flax" in homes:
        return InvalidModel(f"{EXPECTED}, not the Flax Linen module {type(model).__name__}: take its twin of flax.nnx.")
    return InvalidModel(f"{EXPECTED}, not {type(model).__name__}: give the model itself.")


def watch_keras(
    model: Any, directory: str | Path | None, listener: Listener, probe: Any, loss: Any, *, every: int, include: str,
    exclude: str,
) -> Any:  # fmt: skip
    """A callback for `fit`, whose looks are listened to."""
    from actlab.watching.keras_watch import KerasWatch

    if loss is not None:
        raise InvalidModel("loss: a Keras model has that which it was compiled with; leave it out.")
    watch = KerasWatch(model, probe, every=every, include=include, exclude=exclude)
    return _heard(watch, model, directory, listener, every, "Keras", lambda: model.count_params())


def watch_flax(
    model: Any, directory: str | Path | None, listener: Listener, probe: Any, loss: Any, *, every: int, include: str,
    exclude: str,
) -> Any:  # fmt: skip
    """A handle whose `step` is called once per step, whose looks are listened to."""
    from actlab.watching.flax_watch import FlaxWatch, count_parameters

    watch = FlaxWatch(model, probe, loss, every=every, include=include, exclude=exclude)
    return _heard(watch, model, directory, listener, every, "Flax", lambda: count_parameters(model))


def _heard(
    watch: Any, model: Any, directory: str | Path | None, listener: Listener, every: int, framework: str,
    parameters: Callable[[], int],
) -> Any:  # fmt: skip
    """A watch whose findings are those of its looks, each told once when it is found; recorded, if it is to be."""

    def hear(look: Look) -> None:
        listener.hear(look)
        watch.verdict = listener.verdict
        watch.findings = list(watch.verdict.findings)

    watch.on_look, watch.verdict, watch.report = hear, listener.verdict, listener.report

    def end() -> None:
        # Kept for the end of the program alone, the watch and its model would never be let go.
        atexit.unregister(watch.remove)
        listener.end(watch.stopped)

    watch.on_end = end
    if directory is not None:
        try:
            listener.record(recorder_of(model, directory, every, framework, parameters()))
        except BaseException:
            watch.on_end = lambda: None
            watch.remove()
            raise
        # Whoever forgets to end it: with the program it ends.
        atexit.register(watch.remove)
    return watch
