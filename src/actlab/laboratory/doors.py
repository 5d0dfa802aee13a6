"""Which framework a model is of, and the watch of a Keras or Flax one."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from actlab.diagnosis import findings_of
from actlab.errors import InvalidModel, tell
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
    model: Any, probe: Any, loss: Any, *, every: int, include: str, exclude: str, mute: Collection[str]
) -> Any:
    """A callback for `fit`, that judges what it sees."""
    from actlab.watching.keras_watch import KerasWatch

    if loss is not None:
        raise InvalidModel("loss: a Keras model has that which it was compiled with; leave it out.")
    return judged(KerasWatch(model, probe, every=every, include=include, exclude=exclude), mute)


def watch_flax(
    model: Any, probe: Any, loss: Any, *, every: int, include: str, exclude: str, mute: Collection[str]
) -> Any:
    """A handle whose `step` is called once per step, that judges what it sees."""
    from actlab.watching.flax_watch import FlaxWatch

    return judged(FlaxWatch(model, probe, loss, every=every, include=include, exclude=exclude), mute)


def judged(watch: Any, mute: Collection[str]) -> Any:
    """A watch whose findings are those of its looks, each told once when it is found."""
    told: set[str] = set()

    def judge(_: Look) -> None:
        watch.findings = [own for own in findings_of(watch.looks) if own["code"] not in mute]
        for own in watch.findings:
            # What follows from another finding is not said beside it.
            if own["severity"] == "warning" and own["cause"] is None and own["code"] not in told:
                told.add(own["code"])
                tell(f"{own['sentence']} {own['help']} [{own['code']}]", stacklevel=8)

    watch.on_look = judge
    return watch
