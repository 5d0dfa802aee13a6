"""Who gets first to a milestone, over all seeds: one that never gets there is later than any that does."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from actlab.recording import Recording
from actlab.statistics.comparisons import holm
from actlab.statistics.intervals import Floats
from actlab.statistics.selection import Reported, looks_at
from actlab.statistics.sign_flips import ALPHA
from actlab.statistics.simultaneous import differences_at_once
from actlab.statistics.time_to_target import milestone_epochs, time_to_target
from actlab.study import Milestone
from actlab.wording import counted, listed


def races(recording: Recording, reported: Sequence[Reported]) -> list[dict[str, Any]]:
    """One finding for each milestone of the study: the order of the activations, and tests of neighbours in it.

    No seed is left out. The order is that of the median epochs, never being later than any, then of the shares of
    seeds that get there. Two activations are compared by who is first with each seed (sign test; both at once, or
    both never, is a tie), all pairs at once by step-down max-T (`differences_at_once`), since the order comes from the
    same seeds; how many get there by McNemar's test of the same seeds.

    Sources: Dixon & Mood 1946, The statistical sign test, doi 10.1080/01621459.1946.10501898; McNemar 1947, doi
    10.1007/BF02295996.

    Args:
        recording: of any study; without milestones, or with one activation, there is no race.
        reported: the activations.
    """
    if recording.epochs < 1 or len(reported) < 2:
        return []
    found = [_race(recording, reported, milestone) for milestone in recording.study.milestones]
    return [race for race in found if race]


def _race(recording: Recording, reported: Sequence[Reported], milestone: Milestone) -> dict[str, Any] | None:
    epochs = {entry.activation: milestone_epochs(recording, entry, milestone) for entry in reported}
    table = np.stack(list(epochs.values())) if len(set(map(len, epochs.values()))) == 1 else np.empty((0, 0))
    if not np.isfinite(table).any() or table.shape[1] < 2:
        return None
    waited = {name: time_to_target(own) for name, own in epochs.items()}
    ordered = sorted(waited, key=lambda name: (waited[name].median, -waited[name].reached))
    pairs = list(combinations(ordered, 2))
    tested = [first_by_seed(epochs[a], epochs[b]) for a, b in pairs]
    corrected = holm([row["p"] for row in tested])
    # Never and never is a tie, not ∞ − ∞.
    ahead = np.array([(epochs[a] < epochs[b]).astype(float) - (epochs[b] < epochs[a]) for a, b in pairs])
    together = differences_at_once(ahead, looks=looks_at(recording))
    rows = [
        {"a": a, "b": b, **row, "p_holm": p, "p_max_t": one.p, "p_reached": mcnemar(epochs[a], epochs[b])}
        for (a, b), row, p, one in zip(pairs, tested, corrected, together, strict=True)
    ]
    neighbours = [row for row in rows if ordered.index(row["b"]) == ordered.index(row["a"]) + 1]
    seeds = table.shape[1]
    places = [f"{name} ({_arrival(waited[name].median, epochs[name])})" for name in ordered]
    return {
        "code": "milestone_order",
        "severity": "info",
        "activation": ordered[0],
        "layer": None,
        "sentence": (
            f"{milestone.name}: in the order of the median epochs over {counted(seeds, 'seed')}, {', '.join(places)}. "
            f"Seed by seed {listed([_ahead(row) for row in neighbours])}."
        ),
        "evidence": {
            "milestone": milestone.name,
            "seeds": int(np.isfinite(table).all(axis=0).sum()),
            "of": seeds,
            "order": [
                {"activation": name, "median": waited[name].median, "reached": waited[name].reached} for name in ordered
            ],
            "comparisons": rows,
        },
    }


def first_by_seed(a: Floats, b: Floats) -> dict[str, Any]:
    """How often a, b, and neither is first with a seed, and the sign test of that; infinite is never.

    Args:
        a, b: first epochs, (seeds,).

    Returns:
        `first_a`, `first_b`, `ties`, `pairs` and the two-sided exact `p`, 1 where all are ties.

    >>> first_by_seed(np.array([1.0, 2, 3, 4, 5, 9]), np.array([2.0, 3, np.inf, 5, 6, 10]))["p"]
    0.03125
    """
    first_a, first_b = int((a < b).sum()), int((b < a).sum())
    ties = len(a) - first_a - first_b
    return {"first_a": first_a, "first_b": first_b, "ties": ties, "pairs": len(a), "p": _sign_test(first_a, first_b)}


def mcnemar(a: Floats, b: Floats) -> float:
    """Exact two-sided p of whether as many get there with a as with b: of the seeds with which only one of them does.

    Args:
        a, b: first epochs, (seeds,); infinite is never.

    >>> mcnemar(np.array([1.0] * 6), np.array([np.inf] * 6))
    0.03125
    """
    only_a, only_b = (int((np.isfinite(x) & ~np.isfinite(y)).sum()) for x, y in ((a, b), (b, a)))
    return _sign_test(only_a, only_b)


def _sign_test(first: int, second: int) -> float:
    """Two-sided exact p that each of so many cases falls to either side with equal chance."""
    decided = first + second
    tail = sum(math.comb(decided, successes) for successes in range(min(first, second) + 1))
    return min(1.0, 2 * tail / 2**decided)


def _arrival(median: float, epochs: Floats) -> str:
    there = int(np.isfinite(epochs).sum())
    middle = f"epoch {median:g}" if np.isfinite(median) else "never"
    return f"{middle}, {there} of {len(epochs)} get there"


def _ahead(row: dict[str, Any]) -> str:
    verdict = "" if row["p_max_t"] <= ALPHA else ", not told apart"
    return (
        f"{row['a']} is first {counted(row['first_a'], 'time')} and {row['b']} {counted(row['first_b'], 'time')} "
        f"(sign test, p = {row['p_max_t']:.2g}{verdict})"
    ).replace("-", "−")
