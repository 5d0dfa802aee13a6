"""Which members a report is about: one learning rate for each activation, chosen on members of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from actlab.recording import Member, Recording
from actlab.statistics.intervals import Floats


@dataclass(frozen=True)
class Entry:
    """An activation as it enters the comparison.

    Attributes:
        activation: its name.
        learning_rate: the one it is reported with.
        at_edge: whether that is the smallest or largest of several: a better one may lie outside.
        members: the reported ones, in the order of the study's seeds.
        columns: their places on the member axis of the recording's arrays.
    """

    activation: str
    learning_rate: float
    at_edge: bool
    members: tuple[Member, ...]
    columns: tuple[int, ...]


def entries(recording: Recording) -> tuple[Entry, ...]:
    """One entry for every activation, in the order of the study."""
    return tuple(_entry(recording, activation) for activation in recording.study.activations)


def _entry(recording: Recording, activation: str) -> Entry:
    rates = sorted(recording.study.learning_rates or {member.learning_rate for member in recording.members})
    rate = chosen_rate(recording, activation, rates)
    at_edge = len(rates) > 1 and recording.epochs >= 0 and rate in (rates[0], rates[-1])
    columns = {
        member.seed: column
        for column, member in enumerate(recording.members)
        if member.activation == activation and member.learning_rate == rate and not member.tuning
    }
    ordered = tuple(columns[seed] for seed in recording.study.seeds if seed in columns)
    return Entry(activation, rate, at_edge, tuple(recording.members[column] for column in ordered), ordered)


def chosen_rate(recording: Recording, activation: str, rates: list[float]) -> float:
    """The learning rate with the lowest mean validation loss of the tuning members at the last epoch.

    A diverged member counts as infinitely bad. Where no rate has a finite mean, the one with the fewest
    diverged members is taken, and of several such the smallest.

    Args:
        recording: the members and their metrics.
        activation: whose rate is asked for.
        rates: to choose from, ascending, at least one.
    """
    if len(rates) == 1 or recording.epochs < 0:
        return rates[0]
    losses = recording.metrics["validation_loss"][-1]
    finite_losses = np.where(np.isfinite(losses), losses, np.inf)

    def badness(rate: float) -> tuple[float, int]:
        tuning = finite_losses[
            [m.tuning and m.activation == activation and m.learning_rate == rate for m in recording.members]
        ]
        return (float(tuning.mean()) if tuning.size else np.inf, int(np.isinf(tuning).sum()))

    return min(rates, key=badness)


def last(values: np.ndarray, entry: Entry) -> Floats:
    """Values of an entry's members after the last epoch: from (epochs, members, ...) to (entry members, ...).

    NaN for members that have diverged, and for all if nothing was recorded.
    """
    if not len(values):
        return np.full((len(entry.columns), *values.shape[2:]), np.nan)
    found = np.array(values[-1][list(entry.columns)], dtype=float)
    found[[member.diverged_epoch is not None for member in entry.members]] = np.nan
    return found
