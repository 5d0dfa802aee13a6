"""A model of a user's own before it is trained: what is wrong already, by one batch."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from actlab.diagnosis import Finding, before_training
from actlab.errors import InvalidModel
from actlab.statistics.findings.codes import checked
from actlab.watching.looks import Look


@dataclass(frozen=True)
class Diagnosis:
    """What one batch says of a model; printed, it is a line for each finding.

    Attributes:
        findings: what is wrong, a cause before what follows from it; as of a training that is watched.
        left_out: sentences, each of what was not looked at, and why.
        loss: what was gone back from.
        looks: what was seen, at the first steps.
    """

    findings: tuple[Finding, ...]
    left_out: tuple[str, ...]
    loss: str
    looks: tuple[Look, ...]

    @property
    def ok(self) -> bool:
        """Whether no warning is among the findings."""
        return not any(own["severity"] == "warning" for own in self.findings)

    def __str__(self) -> str:
        lines = [f"{own['sentence']} {own['help'] or ''}".strip() + f" [{own['code']}]" for own in self.findings]
        return "\n".join([*(lines or ["Nothing is found before training."]), *self.left_out])


def diagnose(
    model: Any, batch: Any, *, loss: Callable[..., Any] | None = None, optimiser: Any = None,
    mute: Collection[str] = (),
) -> Diagnosis:  # fmt: skip
    """Say what is wrong with a PyTorch model before it is trained, by one batch.

    A copy goes forward and back, and makes some steps where an optimiser is given. The model, its gradients, the
    optimiser and all random states are afterwards what they were. What can only be told while it trains, `actlab.watch`
    tells.

    Args:
        model: a `torch.nn.Module`.
        batch: (x, y), x alone, a mapping of the model's arguments (or of "x" and "y"), or a data loader, of which the
            first one is taken.
        loss: a function of the output and y, or of the output and the mapping. Without it cross-entropy is taken for
            classes, or what the model returns as its loss; where neither is certain, what needs one is left out.
        optimiser: as it will train the model, or its class or a function of the parameters that makes it.
        mute: codes of findings that are not wanted.

    Raises:
        InvalidModel: no PyTorch module, nothing in it trains, or it lies on two devices.
        InvalidData: a batch that does not fit the model or the loss.
        UnknownName: a code to mute that there is not.

    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Linear(8, 3))
    >>> found = diagnose(model, (torch.rand(32, 2), torch.arange(32) % 3), optimiser=torch.optim.Adam)
    >>> print(found.findings[0]["sentence"])
    Between the layers stands no function that is not linear: together they are one linear layer.
    """
    muted = checked(mute)
    kinds = {kind.__module__.split(".")[0] for kind in type(model).__mro__}
    if "torch" not in kinds:
        other = next((name for name in ("keras", "flax", "tensorflow") if name in kinds), "")
        way = " Of other libraries' models nothing is said before training yet." if other else ""
        raise InvalidModel(f"a PyTorch module is expected, not {type(model).__name__}: give the model itself.{way}")
    from actlab.watching.torch_trial import trial

    done = trial(model, batch, loss, optimiser)
    found = [own for own in before_training(done.looks) if own["code"] not in muted]
    return Diagnosis(tuple(found), tuple(done.left_out), done.loss, tuple(done.looks))
