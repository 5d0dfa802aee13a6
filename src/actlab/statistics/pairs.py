"""What is said of pairs of activations, and of the best: one verdict, from which every table and sentence takes it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import combinations
from typing import Any

import numpy as np

from actlab.errors import InvalidStudy, shortened
from actlab.objectives import ACCURACY, Lead
from actlab.recording import Recording
from actlab.statistics.best import chances_of_best
from actlab.statistics.comparisons import compare, holm
from actlab.statistics.intervals import Interval, estimate
from actlab.statistics.new_data import crossed, new_data_intervals
from actlab.statistics.selection import Reported, by_seed, looks_at, mostly_diverged, step_of
from actlab.statistics.sign_flips import ALPHA, floor_of
from actlab.statistics.simultaneous import Difference, differences_at_once
from actlab.study import Study

Row = dict[str, Any]


def compared(recording: Recording) -> tuple[str, ...]:
    """What pairs are compared in: the metric that leads, then the loss."""
    return tuple(dict.fromkeys((recording.lead.test, "test_loss")))


def comparisons(recording: Recording, ranked: Sequence[Reported]) -> list[Row]:
    """All pairs for every metric compared; the pairs of one metric are one family.

    Returns:
        in each row `a`, `b`, `metric`; of the pair by itself `difference`, `ci95`, `p` (Wilcoxon), `effect_size`,
        `pairs` (how many seeds) and `p_holm`; of the whole family `ci95_simultaneous`, `p_max_t` and `told_apart`
        (see `differences_at_once`); of accuracies on new data `ci95_new_data` and `told_apart_new_data` (see
        `new_data_intervals`), None where single test samples were not recorded.
    """
    found: list[Row] = []
    for metric in compared(recording):
        values = _by_seed(recording, ranked, metric)
        pairs, step = list(combinations(values, 2)), step_of(recording, metric)
        alone = [compare(values[a], values[b], step) for a, b in pairs]
        together = _together(values, pairs, step, looks_at(recording))
        corrected = holm([comparison.p for comparison in alone])
        # What a test set tells of new data, accuracies alone say.
        fresh = _new_data(recording, ranked, pairs) if metric == ACCURACY.test else [None] * len(pairs)
        for (a, b), own, one, p, new in zip(pairs, alone, together, corrected, fresh, strict=True):
            row = {"a": a, "b": b, "metric": metric, **asdict(own), "p_holm": p}
            found.append(row | _told(one) | _of_new(new, one))
    return found


def against(recording: Recording, ranked: Sequence[Reported], baseline: str) -> Row:
    """Every activation against one of them: a smaller family than all pairs, which tells more.

    As Dunnett asks, with sign flips in the place of normal distributions.

    Source: Dunnett 1955, doi 10.1080/01621459.1955.10501294; Westfall & Young 1993.

    Returns:
        `name`, and `comparisons`, rows as of `comparisons` with `a` the activation and `b` the baseline, in the metric
        that leads.

    Raises:
        InvalidStudy: no activation of the study has this name.
    """
    check_baseline(recording.study, baseline)
    names = [entry.activation for entry in ranked]
    metric = recording.lead.test
    values = _by_seed(recording, ranked, metric)
    pairs = [(name, baseline) for name in names if name != baseline]
    together = _together(values, pairs, step_of(recording, metric), looks_at(recording))
    fresh = _new_data(recording, ranked, pairs) if metric == ACCURACY.test else [None] * len(pairs)
    return {
        "name": baseline,
        "comparisons": [
            {"a": a, "b": b, "metric": metric, "difference": one.difference, "pairs": one.seeds}
            | _told(one)
            | _of_new(new, one)
            for (a, b), one, new in zip(pairs, together, fresh, strict=True)
        ],
    }


def check_baseline(study: Study, baseline: str | None) -> None:
    """Raise InvalidStudy where a baseline is named that is none of the study's activations."""
    if baseline is not None and baseline not in study.activations:
        known = ", ".join(study.activations)
        raise InvalidStudy(f"baseline {shortened(baseline)}: one of the study's activations is expected: {known}.")


def best_set(
    recording: Recording, ranked: Sequence[Reported], rows: Sequence[Row], pairs: Sequence[Mapping[str, Any]]
) -> Row:
    """Which activations may be the best by the mean of the metric that leads, and which are not.

    Enters `best_p` into their rows.

    Compared are the seeds that trained with every activation, but for those of which most members diverged. None is
    left out unless some pair is told apart: of functions that are all equal, one in twenty studies leaves one out.

    Args:
        recording: what is summarised.
        ranked: the activations, best first.
        rows: what the summary says of them, in the same order.
        pairs: all comparisons, which decide whether any two differ.
    """
    lead = recording.lead
    taking_part = [not mostly_diverged(entry) and bool(entry.members) for entry in ranked]
    table = np.array([by_seed(recording, entry, lead.test) for entry in ranked], dtype=float)[taking_part]
    table = lead.gain(table[:, np.isfinite(table).all(axis=0)])
    found = iter(chances_of_best(table, step_of(recording, lead.test), looks_at(recording)).tolist())
    for row, taken in zip(rows, taking_part, strict=True):
        row["best_p"] = next(found) if taken and table.size else None
    some_differ = any(row["told_apart"] for row in pairs if row["metric"] == lead.test)
    out = [row["name"] for row in rows if row["best_p"] is not None and row["best_p"] <= ALPHA and some_differ]
    held = [row["name"] for row in rows if row["best_p"] is not None and row["name"] not in out]
    worse = {_worse(row, lead) for row in pairs if row["metric"] == lead.test and row.get("told_apart_new_data")}
    return {
        "best_set": held,
        "not_best": out,
        "not_compared": [row["name"] for row in rows if row["best_p"] is None],
        "best_seeds": table.shape[1],
        "not_best_new_data": [row["name"] for row in rows if row["name"] in worse]
        if any(row.get("ci95_new_data") for row in pairs if row["metric"] == lead.test)
        else None,
    }


def accuracy_on_new_data(recording: Recording, entry: Reported) -> Interval | None:
    """Interval of the mean accuracy over new seeds and new samples together; None with fewer than two seeds.

    Never within that over new seeds alone.
    """
    right = _right(recording, entry)
    kept = None if right is None else right[[member.diverged_epoch is None for member in entry.members]]
    if kept is None or min(kept.shape) < 2 or mostly_diverged(entry):
        return None
    step = 1 / kept.shape[1]
    return _around(crossed(kept).share_interval(), estimate(kept.mean(axis=1), step).ci95)


def _around(interval: Interval, inner: Interval | None) -> Interval:
    """The smallest interval that holds both: of more that is new, no less can be open."""
    return interval if inner is None else (min(interval[0], inner[0]), max(interval[1], inner[1]))


def _worse(row: Mapping[str, Any], lead: Lead) -> str:
    return row["b"] if lead.ahead(row["difference"]) else row["a"]


def _by_seed(recording: Recording, ranked: Sequence[Reported], metric: str) -> dict[str, list[float]]:
    """Last values by activation; none where most members diverged: the survivors were chosen by luck."""
    return {
        entry.activation: [math.nan] * len(recording.study.seeds)
        if mostly_diverged(entry)
        else by_seed(recording, entry, metric)
        for entry in ranked
    }


def _together(
    values: Mapping[str, Sequence[float]], pairs: Iterable[tuple[str, str]], step: float, looks: int
) -> list[Difference]:
    arrays = {name: np.asarray(own, dtype=float) for name, own in values.items()}
    # One that diverged may have a value that is infinite.
    arrays = {name: np.where(np.isfinite(own), own, np.nan) for name, own in arrays.items()}
    table = np.array([arrays[a] - arrays[b] for a, b in pairs])
    largest = max((float(np.nanmax(np.abs(own), initial=0.0)) for own in arrays.values()), default=0.0)
    return list(differences_at_once(table, floor_of(step), largest, looks)) if len(table) else []


def _new_data(
    recording: Recording, ranked: Sequence[Reported], pairs: Sequence[tuple[str, str]]
) -> list[Interval | None]:
    """Intervals of the differences for new data, from the seeds that all share; None of what cannot be compared."""
    kept = [entry for entry in ranked if not mostly_diverged(entry) and entry.members]
    trained = [{member.seed for member in entry.members if member.diverged_epoch is None} for entry in kept]
    seeds = [seed for seed in recording.study.seeds if all(seed in own for own in trained)]
    tables = [_right(recording, entry, seeds) for entry in kept]
    if len(seeds) < 2 or not tables or any(table is None or table.shape[1] < 2 for table in tables):
        return [None] * len(pairs)
    places = {entry.activation: place for place, entry in enumerate(kept)}
    wanted = [(places[a], places[b]) for a, b in pairs if a in places and b in places]
    found = iter(
        new_data_intervals(np.stack([table for table in tables if table is not None]), wanted, looks_at(recording))
    )
    return [next(found)[1] if a in places and b in places else None for a, b in pairs]


def _right(recording: Recording, entry: Reported, seeds: Sequence[int] | None = None) -> np.ndarray | None:
    """Which test samples each member has right, (members or seeds, samples)."""
    if recording.right is None:
        return None
    if seeds is None:
        return recording.right[list(entry.columns)]
    places = {member.seed: column for member, column in zip(entry.members, entry.columns, strict=True)}
    return recording.right[[places[seed] for seed in seeds]]


def _told(one: Difference) -> Row:
    told = None if math.isnan(one.p) else one.is_told
    return {"ci95_simultaneous": one.ci95, "p_max_t": one.p, "told_apart": told}


def _of_new(new: Interval | None, one: Difference) -> Row:
    if new is None:
        return {"ci95_new_data": None, "told_apart_new_data": None}
    # What the seeds leave open, new data leave open.
    low, high = _around(new, one.ci95)
    return {"ci95_new_data": (low, high), "told_apart_new_data": one.is_told and (low > 0 or high < 0)}
