"""A training of a user's own, watched: what is wrong is said while it trains."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from actlab.diagnosis import Finding, findings_of
from actlab.errors import InvalidModel, tell
from actlab.laboratory.doors import framework_of, refusal_of, watch_flax, watch_keras
from actlab.watching.looks import Look

if TYPE_CHECKING:
    from torch import nn


class Watch:
    """A watch on a model; it ends by `remove`, with a `with` block, or with the model.

    Attributes:
        findings: what is wrong, by all that was seen so far: see `actlab.diagnosis`.
    """

    def __init__(self, model: nn.Module, every: int, include: str, exclude: str, mute: Collection[str]) -> None:
        from actlab.watching.torch_watch import TorchWatch

        self._mute, self._told = frozenset(mute), set[str]()
        self.findings: list[Finding] = []
        self._watch = TorchWatch(model, every=every, include=include, exclude=exclude, on_look=self._judge)

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    @property
    def looks(self) -> list[Look]:
        """What was seen, step by step."""
        return self._watch.looks

    @property
    def stopped(self) -> str | None:
        """Why watching ended by itself; None while it goes on, or was ended."""
        return self._watch.stopped

    def remove(self) -> None:
        """Watch no longer: nothing is left in the model. Again, it does nothing."""
        self._watch.remove()

    def _judge(self, _: Look) -> None:
        self.findings = [own for own in findings_of(self.looks) if own["code"] not in self._mute]
        for own in self.findings:
            # What follows from another finding is not said beside it.
            if own["severity"] == "warning" and own["cause"] is None and own["code"] not in self._told:
                self._told.add(own["code"])
                tell(f"{own['sentence']} {own['help']} [{own['code']}]", stacklevel=8)


def watch(
    model: Any, *, probe: Any = None, loss: Any = None, every: int = 50, include: str = "*", exclude: str = "",
    mute: Collection[str] = (),
) -> Any:  # fmt: skip
    """Watch a PyTorch, Keras or Flax NNX model while it trains, and say what is wrong.

    At the first steps and every so manieth one, activation functions, gradients, updates and the loss are looked at;
    between them nothing of the training is touched. Weights end with the same bytes as without. What is found is told
    once, as an `ActlabWarning`, and kept.

    A PyTorch training is seen as it runs: no call per step is needed, the optimiser's steps are counted. A callback of
    Keras gets no batch, and a compiled step of Flax runs no Python: both are looked at with a probe batch, which goes
    forward and back as in training without moving anything. Updates are those of the training's own steps.

    Args:
        model: a `torch.nn.Module`, compiled or not; a compiled `keras.Model`; or a `flax.nnx.Module`. Copies and saved
            models are not watched.
        probe: (x, y), some samples of the training data; needed for Keras and Flax.
        loss: for Flax, a function of (outputs, y), which gives a number or one for each sample.
        every: so many steps lie between two looks.
        include, exclude: patterns of the names of functions' places, as "encoder.*".
        mute: codes of findings that are not wanted, as "rate_too_low".

    Returns:
        the watch: `findings`, `looks`, `stopped`, `remove()`; it can stand in a `with` statement. Of a Keras model it
        is a callback: `model.fit(..., callbacks=[seen])`. Of a Flax module it has `step()`, to be called once after
        each step of the training, as `step(model)` where copies of the module are trained.

    Raises:
        InvalidModel: another object, a model without parameters that train, one that is watched already or not
            compiled, no probe or loss where one is needed, or a probe that does not fit.

    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))
    >>> optimiser = torch.optim.SGD(model.parameters(), 0.1)
    >>> with watch(model) as seen:
    ...     torch.nn.functional.mse_loss(model(torch.ones(4, 2)), torch.zeros(4, 1)).backward()
    ...     optimiser.step()
    >>> [look.step for look in seen.looks], seen.findings
    ([0], [])
    """
    framework = framework_of(model)
    if framework in ("keras", "flax"):
        door = watch_keras if framework == "keras" else watch_flax
        return door(model, probe, loss, every=every, include=include, exclude=exclude, mute=mute)
    if framework != "torch":
        raise refusal_of(model)
    if probe is not None or loss is not None:
        raise InvalidModel(
            "probe and loss are for Keras and Flax: a PyTorch training is seen as it runs, leave them out."
        )
    return Watch(model, every, include, exclude, mute)
