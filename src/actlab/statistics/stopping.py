"""Whether enough is known: when seeds need not be added any more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from actlab.objectives import Lead, lead_among
from actlab.recording import Recording
from actlab.statistics.pairs import best_set, comparisons
from actlab.statistics.selection import conditions_of, reported
from actlab.wording import listed

# Why no more seeds were added.
ALONE, WITHIN, MOST, NONE = "alone", "within", "most", "none"


def enough(recording: Recording) -> str | None:
    """Why the seeds of a recording are enough; None where more are to be added.

    A group-sequential rule: one looks at the numbers of seeds in `study.looks` and no others, and every test and
    interval is corrected for all of these looks after Bonferroni. What is said after any of them, the last one
    included, errs in at most 5 of 100 studies, however many of them were taken. The main condition decides.

    Source: Pocock 1977, doi 10.1093/biomet/64.2.191, for looks at equal levels; Bonferroni's correction in the place
    of his, which knows how the looks depend on each other, so that nothing need be normal.

    Args:
        recording: of a study with `seeds="auto"`, after one of its looks.

    Returns:
        "alone": one activation alone may be the best. "within": all that may be the best lie within `study.within`
        of each other, in points or the unit of the metric that leads (simultaneous intervals). "none": nothing can be
        compared. "most": as many seeds as may be.
    """
    ranked = reported(recording, conditions_of(recording)[0])
    rows: list[dict[str, Any]] = [{"name": entry.activation} for entry in ranked]
    pairs = comparisons(recording, ranked)
    return _reason(recording, best_set(recording, ranked, rows, pairs)["best_set"], pairs)


def _reason(recording: Recording, held: Sequence[str], pairs: Sequence[Mapping[str, Any]]) -> str | None:
    study, lead = recording.study, recording.lead
    if not held:
        return NONE
    if len(held) == 1:
        return ALONE
    if study.within is not None and _within(pairs, held, lead, study.within / lead.scale):
        return WITHIN
    return MOST if len(study.seeds) == study.looks[-1] else None


def _within(pairs: Sequence[Mapping[str, Any]], held: Sequence[str], lead: Lead, bound: float) -> bool:
    own = [row for row in pairs if row["metric"] == lead.test and {row["a"], row["b"]} <= set(held)]
    ends = [row["ci95_simultaneous"] for row in own]
    return all(end is not None and -bound <= end[0] <= end[1] <= bound for end in ends)


def looks(recording: Recording) -> dict[str, Any] | None:
    """How seeds were added, as the summary holds it; None where their number was stated.

    Returns:
        `taken` and `planned` (numbers of seeds at which was looked, and at which would have been), `most`, `within`
        (in the `unit` of the `metric` that led: points of a share) and `reason` (as of `enough`).
    """
    study, added = recording.study, recording.facts.get("added")
    if not study.looks or added is None:
        return None
    lead = lead_among(recording.declared_metrics, added["metric"])
    return {
        "taken": [count for count in study.looks if count <= len(study.seeds)],
        "planned": list(study.looks),
        "most": study.looks[-1],
        "within": study.within,
        "unit": lead.apart,
        "metric": lead.title,
        "reason": added["reason"],
    }


def told(found: Mapping[str, Any] | None) -> list[str]:
    """How seeds were added, as a note of two sentences; none where their number was stated.

    >>> told({"taken": [8], "planned": [8], "most": 8, "within": None, "unit": "points", "metric": "accuracy",
    ...       "reason": "alone"})
    ['Seeds were added by test accuracy until one activation alone may be the best: after 8 of at most 8.']
    """
    if found is None:
        return []
    last, most = found["taken"][-1], found["most"]
    until = {
        ALONE: f"until one activation alone may be the best: after {last} of at most {most}",
        WITHIN: f"until all that may be the best lie within {found['within']} {found['unit']} of each other: after "
        f"{last} of at most {most}",
        MOST: f"up to the {most} that were allowed: they do not tell which one is the best",
        NONE: f"as long as there was anything to compare: {last} of at most {most}",
    }[found["reason"]]
    times = len(found["planned"])
    if times == 1:
        return [f"Seeds were added by test {found['metric']} {until}."]
    return [
        f"Seeds were added by test {found['metric']} {until}. Everything that is told apart, and every interval of a "
        f"difference, is corrected for looking up to {times} times (after {listed(map(str, found['planned']))} seeds)."
    ]
