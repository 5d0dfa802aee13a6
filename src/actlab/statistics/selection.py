"""Which members a contest is about: for each activation those of one arm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from actlab.recording import Member, Recording
from actlab.statistics.intervals import Floats
from actlab.study import Arm, Contest, arms, contests
from actlab.study.contests import TITLES


@dataclass(frozen=True)
class Entry:
    """An activation as it enters a contest.

    Attributes:
        activation: its name.
        learning_rate: the one it is reported with.
        edge: "smaller" or "larger" where it is the smallest or largest of several that were tried, and a better one
            may lie beyond; else None.
        members: the reported ones, in the order of the study's seeds.
        columns: their places on the member axis of the recording's arrays.
    """

    activation: str
    learning_rate: float
    edge: Literal["smaller", "larger"] | None
    members: tuple[Member, ...]
    columns: tuple[int, ...]


def contests_of(recording: Recording) -> tuple[Contest, ...]:
    """The contests of a recording, the main one first: each at its best learning rate, where these were chosen.

    A recording whose rates still wait to be chosen from, as those of the tuning, has one: each activation at the
    rate of the lowest validation loss of its own members.
    """
    held = sorted(contests(recording.study), key=lambda contest: contest.name != "best")
    if held:
        return tuple(held)
    return (Contest("best", TITLES["best"], {name: _best(recording, name) for name in recording.study.activations}),)


def _best(recording: Recording, activation: str) -> Arm:
    own = [arm for arm in arms(recording.study) if arm.activation == activation and arm.init == "stated"]
    return min(sorted(own, key=lambda arm: arm.learning_rate), key=lambda arm: badness(recording, arm))


def badness(recording: Recording, arm: Arm) -> tuple[float, int]:
    """How bad an arm is, to choose the least: mean validation loss at the last epoch, then members that diverged.

    A member that diverged counts as infinitely bad, and so does an arm without members.
    """
    if recording.epochs < 0:
        return np.inf, 0
    losses = recording.metrics["validation_loss"][-1][list(_columns(recording, arm).values())]
    finite = np.where(np.isfinite(losses), losses, np.inf)
    return float(finite.mean()) if finite.size else np.inf, int(np.isinf(finite).sum())


def entries(recording: Recording, contest: Contest | None = None) -> tuple[Entry, ...]:
    """One entry for every activation, in the order of the study; of the main contest where none is given."""
    contest = contest or contests_of(recording)[0]
    return tuple(_entry(recording, contest, arm) for arm in contest.arms.values())


def _entry(recording: Recording, contest: Contest, arm: Arm) -> Entry:
    columns = _columns(recording, arm)
    ordered = tuple(columns[seed] for seed in recording.study.seeds if seed in columns)
    tried = tried_rates(recording, contest, arm)
    edge = None
    if len(tried) > 1 and recording.epochs >= 0:
        ends: dict[float, Literal["smaller", "larger"]] = {min(tried): "smaller", max(tried): "larger"}
        edge = ends.get(arm.learning_rate)
    members = tuple(recording.members[column] for column in ordered)
    return Entry(arm.activation, arm.learning_rate, edge, members, ordered)


def tried_rates(recording: Recording, contest: Contest, arm: Arm) -> tuple[float, ...]:
    """The learning rates from which the arm's was chosen: none in the contest of the stated settings."""
    if contest.name == "stated" or len(recording.study.learning_rates or ()) < 2:
        return ()
    tuning = recording.facts.get("tuning") or []
    rates = [row["learning_rate"] for row in tuning if (row["activation"], row["init"]) == (arm.activation, arm.init)]
    return tuple(rates) or (recording.study.learning_rates or ())


def _columns(recording: Recording, arm: Arm) -> dict[int, int]:
    """By seed, the places of an arm's members on the member axis."""
    return {
        member.seed: column
        for column, member in enumerate(recording.members)
        if (member.activation, member.learning_rate, member.init) == (arm.activation, arm.learning_rate, arm.init)
    }


def mostly_diverged(entry: Entry) -> bool:
    """Whether more than half of an entry's members diverged: the few that are left of it say nothing for it."""
    return sum(member.diverged_epoch is not None for member in entry.members) > len(entry.members) / 2


def step_of(recording: Recording, metric: str) -> float:
    """The smallest difference that two values of a metric can have: 1/N of an accuracy over N samples, else 0.

    0 too where the recording does not say how many samples there are.
    """
    part, _, what = metric.rpartition("_")
    samples = recording.facts.get("samples", {}).get(part)
    return 1 / samples if what == "accuracy" and samples else 0.0


def probe_samples(recording: Recording) -> int:
    """How many training samples the probes look at: all, where there are fewer than the study asks for."""
    asked = recording.study.probe_samples
    return min(asked, recording.facts.get("samples", {}).get("train", asked))


def last(values: np.ndarray, entry: Entry) -> Floats:
    """Values of an entry's members after the last epoch: from (epochs, members, ...) to (entry members, ...).

    NaN for members that have diverged, and for all if nothing was recorded.
    """
    if not len(values):
        return np.full((len(entry.columns), *values.shape[2:]), np.nan)
    found = np.array(values[-1][list(entry.columns)], dtype=float)
    found[[member.diverged_epoch is not None for member in entry.members]] = np.nan
    return found


def by_seed(recording: Recording, entry: Entry, metric: str) -> list[float]:
    """Last values of a metric in the order of the study's seeds, NaN for a seed without a member."""
    values = dict(zip((member.seed for member in entry.members), last(recording.metrics[metric], entry), strict=True))
    return [values.get(seed, float("nan")) for seed in recording.study.seeds]
