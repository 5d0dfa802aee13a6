"""How an activation's training went, beside the best answer that does not look at the inputs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from actlab.recording import Recording
from actlab.statistics.gradients import still_training
from actlab.statistics.intervals import Floats, median
from actlab.statistics.selection import Reported, mostly_diverged

# Of 20 healthy networks of `benchmarks/faults.py` none ends above 0.31 of the constant answer's loss, of the faulty
# ones that any rule but those of inputs and labels is for, none below 0.69.
POOR = 0.5
# A network that has learnt what it was shown took no harm from a bad start or large steps. With those that begin badly
# and end above, the loss is a multiple of what it is without the fault.
HINDERED = 0.1
# Weights of one epoch and all members are read up to this size: a summary is to take seconds, and a laptop's memory.
WEIGHT_BYTES = 2**29


@dataclass(frozen=True)
class Course:
    """Losses as multiples of the best constant answer's, accuracies as they are; medians over members.

    Attributes:
        constant: loss of the best answer that does not look at the inputs: entropy of the class frequencies, or what
            always giving one number has.
        majority: share of the most frequent class among the training samples; NaN where targets are numbers.
        train_loss, validation_loss: (epochs + 1,), untrained first.
        train_accuracy, validation_accuracy: likewise; NaN where targets are numbers.
    """

    constant: float
    majority: float
    train_loss: Floats
    validation_loss: Floats
    train_accuracy: Floats
    validation_accuracy: Floats

    @property
    def poor(self) -> bool:
        """Whether it ends badly: above half of the constant answer's training loss, or above its validation loss."""
        return not (self.train_loss[-1] <= POOR and self.validation_loss[-1] <= 1)

    @property
    def hindered(self) -> bool:
        """Whether a tenth of the constant answer's training loss is left, or it ends badly."""
        return self.poor or self.train_loss[-1] > HINDERED


def course_of(recording: Recording, entry: Reported) -> Course | None:
    """The course of an activation's training; None where most members diverged or the classes' counts are unknown."""
    constant = constant_loss(recording)
    if not constant or mostly_diverged(entry):
        return None
    counts = np.array(recording.facts.get("class_counts") or [np.nan], dtype=float)
    unknown = np.full(recording.metrics["train_loss"].shape, np.nan)
    curves = {name: typical(recording.metrics.get(name, unknown)[:, list(entry.columns)]) for name in _CURVES}
    for name in ("train_loss", "validation_loss"):
        curves[name] = curves[name] / constant
    return Course(constant, float(counts.max() / counts.sum()), **curves)


_CURVES = ("train_loss", "validation_loss", "train_accuracy", "validation_accuracy")


def typical(values: Floats) -> Floats:
    """Medians over members of (epochs, members), those that are no numbers left out.

    >>> typical(np.array([[1.0, 3.0, 8.0], [2.0, np.nan, 4.0], [np.nan, np.nan, np.nan]])).tolist()
    [3.0, 3.0, nan]
    """
    return np.array([median(row) for row in values])


def probe(recording: Recording, entry: Reported, name: str) -> Floats | None:
    """A measure of an activation, (epochs, places), median over its members that still train; None without it."""
    values = recording.probes.get(name)
    if values is None:
        return None
    columns = list(entry.columns)
    alive = still_training(recording, columns)
    own = np.where(alive[..., None], values[:, columns].astype(float), np.nan)
    return np.array([[median(own[epoch, :, place]) for place in range(own.shape[2])] for epoch in range(len(own))])


def constant_loss(recording: Recording) -> float | None:
    """The loss of the best answer that does not look at the input; None where the classes' counts are not recorded."""
    if recording.study.class_weights is not None or recording.objective.name == "own":
        # What training makes small is not what is recorded, or not known: nothing follows from its size.
        return None
    if recording.objective.baseline is None:
        return recording.facts["constant"]["train_loss"]
    counts = np.array(recording.facts.get("class_counts", ()), dtype=float)
    return recording.objective.baseline(counts / counts.sum()) if counts.sum() else None


def loss_of(recording: Recording) -> tuple[str, str]:
    """What the loss is called, and what has the one that it is held against."""
    title = next(metric["title"] for metric in recording.facts["metrics"] if metric["name"] == "loss")
    of = "classes" if recording.objective.decides else "labels"
    frequencies = f"the frequencies of the {of} alone give"
    return title, "always giving the same answer has" if recording.objective.predicts else frequencies


def best_losses(recording: Recording, entry: Reported) -> Floats:
    """Each member's lowest training loss over the epochs; infinite where it never had one."""
    losses = recording.metrics["train_loss"][:, list(entry.columns)]
    return np.where(np.isfinite(losses), losses, np.inf).min(axis=0)


def reads_weights(recording: Recording) -> bool:
    """Whether the weights of all members at an epoch are few enough to be read for a finding."""
    parameters = recording.facts.get("parameters", {})
    count = sum(parameters.get(member.activation, 0) for member in recording.members)
    return 4 * count <= WEIGHT_BYTES
