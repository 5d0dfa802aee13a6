"""Who gets first to a milestone, among the seeds that get there with every activation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Any

import numpy as np

from actlab.recording import Recording
from actlab.statistics.comparisons import SIGNIFICANT, compare, holm
from actlab.statistics.selection import Entry
from actlab.statistics.sentences import listed
from actlab.statistics.waiting import milestone_epochs
from actlab.study import Milestone


def races(recording: Recording, entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """One finding for each milestone of the study: the order of the activations, and tests of neighbours in it.

    Seeds that never get there with some activation are left out for all, so that the same seeds are compared; how
    many they are is part of the sentence. Neighbours are compared seed by seed (Wilcoxon signed-rank, Holm).

    Args:
        recording: of any study; without milestones, or with one activation, there is no race.
        entries: the activations.
    """
    if recording.epochs < 1 or len(entries) < 2:
        return []
    found = [_race(recording, entries, milestone) for milestone in recording.study.milestones]
    return [race for race in found if race]


def _race(recording: Recording, entries: Sequence[Entry], milestone: Milestone) -> dict[str, Any] | None:
    epochs = {entry.activation: milestone_epochs(recording, entry, milestone) for entry in entries}
    table = np.stack(list(epochs.values()))
    there = np.flatnonzero(np.isfinite(table).all(axis=0))
    if len(set(map(len, epochs.values()))) > 1 or len(there) < 2:
        return None
    finite = {name: own[there] for name, own in epochs.items()}
    ordered = sorted(finite, key=lambda name: float(finite[name].mean()))
    pairs = list(pairwise(ordered))
    compared = [compare(finite[a], finite[b]) for a, b in pairs]
    corrected = holm([comparison.p for comparison in compared])
    rows = [
        {"a": a, "b": b, **asdict(comparison), "p_holm": p}
        for (a, b), comparison, p in zip(pairs, compared, corrected, strict=True)
    ]
    medians = [f"{name} (median epoch {np.median(finite[name]):g})" for name in ordered]
    steps = [f"{row['a']} is {-row['difference']:.3g} epochs ahead of {row['b']} {_tested(row)}" for row in rows]
    return {
        "code": "milestone_order",
        "severity": "info",
        "activation": ordered[0],
        "layer": None,
        "sentence": (
            f"{milestone.name}: {len(there)} of {table.shape[1]} seeds get there with every activation; among these "
            f"the order is {', '.join(medians)}: {listed(steps)}."
        ),
        "evidence": {
            "milestone": milestone.name,
            "seeds": len(there),
            "of": table.shape[1],
            "order": [{"activation": name, "median": float(np.median(finite[name]))} for name in ordered],
            "comparisons": rows,
        },
    }


def _tested(row: dict[str, Any]) -> str:
    interval = row["ci95"]
    shown = f"[{0 - interval[1]:.3g}, {0 - interval[0]:.3g}], " if interval else ""
    verdict = "" if row["p_holm"] < SIGNIFICANT else ", not significant"
    return f"({shown}p = {row['p_holm']:.2g}{verdict})".replace("-", "−")
