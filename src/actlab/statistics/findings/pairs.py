"""Which pairs of activations the test tells apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from actlab.objectives import ACCURACY, Lead
from actlab.statistics.findings.finding import Finding, finding
from actlab.statistics.simultaneous import FEWEST_SEEDS
from actlab.wording import counted, listed, number

# All pairs of up to so many activations are compared; of more, only the rectifiers, as several sources do.
FEW = 5
RECTIFIERS = ("relu", "leaky_relu", "elu")
PAIRS_TOLD = 3


def within_noise(
    comparisons: Sequence[Mapping[str, Any]], ranked: Sequence[str], lead: Lead = ACCURACY
) -> Finding | None:
    """Which pairs of activations are told apart in the metric that leads, all asked at once, and which are not.

    Of all pairs of a few activations, of those with the baseline where there is one, else of the rectifiers. Where so
    few seeds leave the test no chance to tell any pair apart, there is nothing to say.
    """
    compared = [row for row in comparisons if row["metric"] == lead.test and row["ci95_simultaneous"]]
    whole = len(ranked) <= FEW or len(compared) < len(ranked)
    names = list(ranked) if whole else [name for name in ranked if name in RECTIFIERS]
    wanted = {frozenset(pair) for pair in combinations(names, 2)}
    keys = ("a", "b", "difference", "ci95_simultaneous", "ci95_new_data", "pairs", "p_max_t")
    rows = [
        {key: row[key] for key in keys} | {"within_noise": not row["told_apart"]}
        for row in compared
        if {row["a"], row["b"]} in wanted
    ]
    if not rows or max(row["pairs"] for row in rows) < FEWEST_SEEDS:
        return None
    # The rectifiers first, then the closest pairs.
    rows.sort(key=lambda row: (not {row["a"], row["b"]} <= set(RECTIFIERS), abs(row["difference"])))
    alike = [row for row in rows if row["within_noise"]]
    apart = [row for row in rows if not row["within_noise"]]
    fewest, most = (choice(row["pairs"] for row in alike or rows) for choice in (min, max))
    seeds = counted(most, "seed") if fewest == most else f"{fewest} to {counted(most, 'seed')}"
    few = f" (fewer than {FEWEST_SEEDS} tell nothing)" if fewest < FEWEST_SEEDS else ""
    parts = [f"not told apart by {seeds}{few}: {_pairs(alike, lead)}"] if alike else []
    parts += [f"told apart: {_pairs(apart, lead)}"] if apart else []
    between = "" if whole else f" between {listed(names)}"
    at_once = f"all {counted(len(compared), 'pair')} asked at once" if len(compared) > 1 else "by sign flips"
    unit = f", in {lead.apart}" if lead.apart else ""
    sentence = f"Paired differences in test {lead.title}{between}{unit} ({at_once}), {'; '.join(parts)}."
    return finding("within_noise", "info", sentence, {"pairs": rows})


def _pairs(rows: Sequence[Mapping[str, Any]], lead: Lead) -> str:
    """The first pairs with their differences in words, and how many more there are."""
    pattern = "+.2f" if lead.is_share else "+.3g"
    told = [f"{row['a']} − {row['b']} {number(lead.scale * row['difference'], pattern)}" for row in rows[:PAIRS_TOLD]]
    more = len(rows) - len(told)
    return listed(told) if not more else f"{', '.join(told)} and {counted(more, 'pair')} more"
