"""A training of a user's own, watched: what is wrong is said while it trains."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from actlab.diagnosis import Finding, Judge, Verdict
from actlab.errors import InvalidModel, tell
from actlab.statistics.findings.codes import checked
from actlab.watching.looks import Look

if TYPE_CHECKING:
    from torch import nn


class Watch:
    """A watch on a model; it ends by `remove`, with a `with` block, or with the model."""

    def __init__(self, model: nn.Module, every: int, include: str, exclude: str, mute: Collection[str]) -> None:
        from actlab.watching.torch_watch import TorchWatch

        self._mute, self._told = checked(mute), set[str]()
        self._judge = Judge()
        self._watch = TorchWatch(model, every=every, include=include, exclude=exclude, on_look=self._heard)

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

    @property
    def findings(self) -> list[Finding]:
        """What is wrong, by all that was seen so far: see `actlab.diagnosis`."""
        return list(self.verdict.findings)

    @property
    def verdict(self) -> Verdict:
        """What can be said in all: something is wrong, it learns, it is too early, or none can tell."""
        return self._judge.verdict(self._mute)

    def _heard(self, look: Look) -> None:
        self._judge.add(look)
        for own in self.findings:
            # What follows from another finding is not said beside it.
            if own["severity"] == "warning" and own["cause"] is None and own["code"] not in self._told:
                self._told.add(own["code"])
                tell(f"{own['sentence']} {own['help']} [{own['code']}]", stacklevel=8)


def watch(model: Any, *, every: int = 50, include: str = "*", exclude: str = "", mute: Collection[str] = ()) -> Watch:
    """Watch a PyTorch model while it trains, and say what is wrong.

    At the first steps and every so manieth one, activation functions, gradients, updates and the loss are looked at;
    between them nothing of the training is touched. No call per step is needed: the optimiser's steps are counted.
    Weights end with the same bytes as without. What is found is told once, as an `ActlabWarning`, and kept.

    Args:
        model: a `torch.nn.Module`, compiled or not. Copies and saved models are not watched.
        every: so many steps lie between two looks.
        include, exclude: patterns of the names of functions' places, as "encoder.*".
        mute: codes of findings that are not wanted, as "rate_too_low": see `actlab.statistics.findings.codes`.

    Returns:
        the watch: `findings`, `verdict`, `looks`, `remove()`; it can stand in a `with` statement.

    Raises:
        InvalidModel: no PyTorch module, one without parameters that train, or one that is watched already.
        UnknownName: a code to mute that there is not.

    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))
    >>> optimiser = torch.optim.SGD(model.parameters(), 0.1)
    >>> with watch(model) as seen:
    ...     torch.nn.functional.mse_loss(model(torch.ones(4, 2)), torch.zeros(4, 1)).backward()
    ...     optimiser.step()
    >>> [look.step for look in seen.looks], seen.findings
    ([0], [])
    """
    if not any(kind.__module__.startswith("torch.") for kind in type(model).__mro__):
        raise InvalidModel(f"a PyTorch module is expected, not {type(model).__name__}: give the model itself.")
    return Watch(model, every, include, exclude, mute)
