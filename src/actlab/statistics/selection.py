"""Which members a condition is about: for each activation those of one variant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from actlab.objectives import BALANCED
from actlab.recording import Member, Recording
from actlab.statistics.intervals import Floats
from actlab.study import Condition, Variant, conditions, variants
from actlab.study.conditions import TITLES


@dataclass(frozen=True)
class Reported:
    """An activation as it enters a condition.

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


def conditions_of(recording: Recording) -> tuple[Condition, ...]:
    """The conditions of a recording, the main one first: each at its best learning rate, where these were chosen.

    A recording whose rates still wait to be chosen from, as those of the tuning, has one: each activation at the
    rate of the lowest validation loss of its own members.
    """
    held = sorted(conditions(recording.study), key=lambda condition: condition.name != "best")
    if held:
        return tuple(held)
    return (Condition("best", TITLES["best"], {name: _best(recording, name) for name in recording.study.activations}),)


def _best(recording: Recording, activation: str) -> Variant:
    own = [
        variant
        for variant in variants(recording.study)
        if variant.activation == activation and variant.init == "stated"
    ]
    return min(
        sorted(own, key=lambda variant: variant.learning_rate), key=lambda variant: validation_score(recording, variant)
    )


def validation_score(recording: Recording, variant: Variant) -> tuple[float, int]:
    """How bad a variant is, to choose the least: mean validation loss at the last epoch, then members that diverged.

    A member that diverged counts as infinitely bad, and so does a variant without members.
    """
    if recording.epochs < 0:
        return np.inf, 0
    losses = recording.metrics["validation_loss"][-1][list(columns_of(recording, variant).values())]
    finite = np.where(np.isfinite(losses), losses, np.inf)
    return float(finite.mean()) if finite.size else np.inf, int(np.isinf(finite).sum())


def reported(recording: Recording, condition: Condition | None = None) -> tuple[Reported, ...]:
    """One entry for every activation, in the order of the study; of the main condition where none is given."""
    condition = condition or conditions_of(recording)[0]
    return tuple(_entry(recording, condition, variant) for variant in condition.variants.values())


def _entry(recording: Recording, condition: Condition, variant: Variant) -> Reported:
    columns = columns_of(recording, variant)
    ordered = tuple(columns[seed] for seed in recording.study.seeds if seed in columns)
    tried = tried_rates(recording, condition, variant)
    edge = None
    if len(tried) > 1 and recording.epochs >= 0:
        ends: dict[float, Literal["smaller", "larger"]] = {min(tried): "smaller", max(tried): "larger"}
        edge = ends.get(variant.learning_rate)
    members = tuple(recording.members[column] for column in ordered)
    return Reported(variant.activation, variant.learning_rate, edge, members, ordered)


def tried_rates(recording: Recording, condition: Condition, variant: Variant) -> tuple[float, ...]:
    """The learning rates from which the variant's was chosen: none in the condition of the stated settings."""
    if condition.name == "stated" or len(recording.study.learning_rates or ()) < 2:
        return ()
    tuning = recording.facts.get("tuning") or []
    rates = [
        row["learning_rate"] for row in tuning if (row["activation"], row["init"]) == (variant.activation, variant.init)
    ]
    return tuple(rates) or (recording.study.learning_rates or ())


def columns_of(recording: Recording, variant: Variant) -> dict[int, int]:
    """By seed, the places of a variant's members on the member axis."""
    return {
        member.seed: column
        for column, member in enumerate(recording.members)
        if (member.activation, member.learning_rate, member.init)
        == (variant.activation, variant.learning_rate, variant.init)
    }


def mostly_diverged(entry: Reported) -> bool:
    """Whether more than half of an entry's members diverged: the few that are left of it say nothing for it."""
    return sum(member.diverged_epoch is not None for member in entry.members) > len(entry.members) / 2


def step_of(recording: Recording, metric: str) -> float:
    """The smallest difference that two values of a metric can have: 1/N of an accuracy over N samples, else 0.

    Of a balanced accuracy, what a sample of the most frequent class weighs. 0 too where the recording does not say how
    many samples there are.
    """
    part, _, what = metric.partition("_")
    counts = [count for count in recording.facts.get("test_class_counts", ()) if count]
    if metric == BALANCED.test and counts:
        return 1 / (len(counts) * max(counts))
    samples = recording.facts.get("samples", {}).get(part)
    return 1 / samples if what == "accuracy" and samples else 0.0


def looks_at(recording: Recording) -> int:
    """At how many numbers of seeds one may have looked until this one was reached; 1 where it was stated."""
    return max(1, len(recording.study.looks))


def probe_samples(recording: Recording) -> int:
    """How many training samples the probes look at: all, where there are fewer than the study asks for."""
    asked = recording.study.probe_samples
    return min(asked, recording.facts.get("samples", {}).get("train", asked))


def last(values: np.ndarray, entry: Reported) -> Floats:
    """Values of an entry's members after the last epoch: from (epochs, members, ...) to (entry members, ...).

    NaN for members that have diverged, and for all if nothing was recorded.
    """
    if not len(values):
        return np.full((len(entry.columns), *values.shape[2:]), np.nan)
    found = np.array(values[-1][list(entry.columns)], dtype=float)
    found[[member.diverged_epoch is not None for member in entry.members]] = np.nan
    return found


def by_seed(recording: Recording, entry: Reported, metric: str) -> list[float]:
    """Last values of a metric in the order of the study's seeds, NaN for a seed without a member."""
    values = dict(zip((member.seed for member in entry.members), last(recording.values(metric), entry), strict=True))
    return [values.get(seed, float("nan")) for seed in recording.study.seeds]
