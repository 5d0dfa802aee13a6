"""Which pairs of activations the test tells apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from actlab.statistics.comparisons import SIGNIFICANT, smallest_p
from actlab.statistics.findings.finding import Finding, finding
from actlab.statistics.sentences import counted, listed
from actlab.wording import number

# All pairs of up to so many activations are compared; of more, only the rectifiers, as several sources do.
FEW = 5
RECTIFIERS = ("relu", "leaky_relu", "elu")
PAIRS_TOLD = 3


def within_noise(comparisons: Sequence[Mapping[str, Any]], ranked: Sequence[str]) -> Finding | None:
    """Which pairs of activations are told apart in test accuracy by the corrected test, and which are not.

    Of all pairs of a few activations, else of the rectifiers. The test is Wilcoxon's with Holm's correction over all
    pairs of the study; where so few seeds leave it no chance to tell any pair apart, there is nothing to say. The
    intervals of the evidence are those of each pair by itself: among many some keep clear of zero by luck.
    """
    compared = [row for row in comparisons if row["metric"] == "test_accuracy"]
    few = len(ranked) <= FEW
    names = list(ranked) if few else [name for name in ranked if name in RECTIFIERS]
    wanted = set(combinations(names, 2))
    rows = [
        {key: row[key] for key in ("a", "b", "difference", "ci95", "pairs", "p_holm")}
        for row in compared
        if (row["a"], row["b"]) in wanted and row["ci95"] is not None
    ]
    if not rows or smallest_p(max(row["pairs"] for row in rows), len(compared)) >= SIGNIFICANT:
        return None
    rows = [row | {"within_noise": not row["p_holm"] < SIGNIFICANT} for row in rows]
    # The rectifiers first, then the closest pairs.
    rows.sort(key=lambda row: (not {row["a"], row["b"]} <= set(RECTIFIERS), abs(row["difference"])))
    alike = [row for row in rows if row["within_noise"]]
    apart = [row for row in rows if not row["within_noise"]]
    seeds = counted(max(row["pairs"] for row in rows), "seed")
    parts = [f"not told apart by {seeds}: {_pairs(alike)}"] if alike else []
    parts += [f"told apart: {_pairs(apart)}"] if apart else []
    sentence = (
        f"Paired differences in test accuracy{'' if few else f' between {listed(names)}'}, in points (Wilcoxon's "
        f"test, Holm's correction over {counted(len(compared), 'pair')}), {'; '.join(parts)}."
    )
    return finding("within_noise", "info", sentence, {"pairs": rows})


def _pairs(rows: Sequence[Mapping[str, Any]]) -> str:
    """The first pairs with their differences in words, and how many more there are."""
    told = [f"{row['a']} − {row['b']} {number(100 * row['difference'], '+.2f')}" for row in rows[:PAIRS_TOLD]]
    more = len(rows) - len(told)
    return listed(told) if not more else f"{', '.join(told)} and {counted(more, 'pair')} more"
