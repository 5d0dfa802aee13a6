"""The summary of a recording: everything the tables, the report and `summary.json` say in numbers.

It holds `schema`, `actlab` (version), `study`, `epoch` (the last one), `complete`, `samples` (how many each part of the
data has), `probe_samples` (how many training samples the probes look at), `metrics` (those that are known:
see `Recording`), `lead` (the one by which activations are ranked and compared: see `actlab.objectives.Lead`),
`majority`, `chance` and `constant` (what is had without looking at the input: see `actlab.statistics.baselines`);
`samples` and `majority` are None in recordings that do not hold them.

Of the main condition: `contest` (its name and title), `activations`, best first (see `activation_row`), `best_set`
(those that may be the best), `not_best` (those told from a better one), `not_best_new_data` (those told from a better
one when the test samples are a sample too; None where single ones were not recorded), `not_compared` (those of which
most members diverged), `best_seeds` (over how many seeds that is said), `comparisons` of all pairs and of each with the
`baseline` (see `actlab.statistics.pairs`), `headline`. Of the others: `contests`, each with its `name`, `title` and the
same keys. Of all: `tuning` (a row for each rate tried), `choices` (how firmly rates were chosen), `looks` (see
`actlab.statistics.stopping`), `findings` (see that module), `published` (see `compare_published`), `throughput`,
`notes` and `next_steps`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from typing import Any

import numpy as np

from actlab.objectives import ACCURACY
from actlab.recording import Member, Recording
from actlab.statistics.baselines import baselines_of, constant_value
from actlab.statistics.choice import choices
from actlab.statistics.confusion import MOST_CLASSES, confusion, label_confusion
from actlab.statistics.findings import findings
from actlab.statistics.intervals import Estimate, estimate, finite, mean, median, share_interval
from actlab.statistics.learnt import learnt
from actlab.statistics.next_steps import next_steps
from actlab.statistics.pairs import accuracy_on_new_data, against, best_set, compared, comparisons
from actlab.statistics.published import compare_published
from actlab.statistics.selection import (
    Reported,
    conditions_of,
    last,
    mostly_diverged,
    probe_samples,
    reported,
    step_of,
)
from actlab.statistics.sentences import headline, notes
from actlab.statistics.stopping import looks, told
from actlab.statistics.time_to_target import first_epoch, milestone_epochs, time_to_target
from actlab.statistics.watched import of_watched
from actlab.study import Condition, is_watched

SCHEMA = 1
ESTIMATED = ("test_loss", "train_loss")
TARGET_SHARE = 0.95


def summarise(recording: Recording, baseline: str | None = None, *, derived: bool = False) -> dict[str, Any]:
    """Summarise a recording, complete or not: the content of `summary.json`, in which NaN and ±inf are null.

    Where each activation has its own learning rate, chosen on validation data, and the stated rate or other initial
    weights are compared too, these are further `contests`. The test set is read at the last epoch alone. Members that
    diverged are masked and counted.

    Args:
        recording: complete or not.
        baseline: an activation that all others are compared with, instead of each with each: fewer tests, which tell
            more. To be chosen before the result is looked at; that of the recording where None.
        derived: whether metrics that are derived from the outputs after the last epoch are held, too, where they do not
            lead: they take as long as all else.

    Returns:
        what the head of this module tells of.
    """
    baseline = recording.baseline if baseline is None else baseline
    main, *others = conditions_of(recording)
    by_condition = {held.name: ranking(recording, reported(recording, held)) for held in (main, *others)}
    ranked, without = by_condition[main.name], baselines_of(recording, derived)
    target, names = target_of(recording, ranked, without), tuple(_estimated(recording, derived))
    first, *further = (
        _condition(recording, held, by_condition[held.name], target, baseline, names) for held in (main, *others)
    )
    found, added = findings(recording, ranked, _tested(first)), looks(recording)
    summary: dict[str, Any] = {
        "schema": SCHEMA,
        "actlab": version("actlab"),
        "study": recording.study.to_dict(),
        "epoch": recording.epochs if recording.epochs >= 0 else None,
        "complete": recording.complete,
        "contest": {key: first.pop(key) for key in ("name", "title")},
        "samples": recording.facts.get("samples"),
        "probe_samples": probe_samples(recording),
        **without,
        "metrics": recording.declared_metrics,
        "lead": asdict(recording.lead),
        **first,
        "contests": further,
        "tuning": recording.facts.get("tuning") or [],
        "choices": choices(recording.facts.get("tuning") or []),
        "findings": found,
        "published": compare_published(recording),
        "throughput": recording.facts.get("throughput"),
        "looks": added,
        "notes": [*told(added), *notes(recording, by_condition, target, baseline)],
        "next_steps": next_steps(recording, ranked, first["best_set"], found),
    }
    if is_watched(recording.study):
        return json_safe({**_with_headlines(json_safe(summary)), **of_watched(recording)})
    return _with_headlines(json_safe(summary))


def _tested(condition: dict[str, Any]) -> list[dict[str, Any]]:
    """The comparisons that sentences are about: with the baseline where there is one that can be compared."""
    beside = condition["baseline"]
    rows = beside["comparisons"] if beside else []
    return rows if any(row["told_apart"] is not None for row in rows) else condition["comparisons"]


def _with_headlines(summary: dict[str, Any]) -> dict[str, Any]:
    for condition in summary["contests"]:
        condition["headline"] = headline(summary | condition)
    return summary | {"headline": headline(summary)}


def _condition(
    recording: Recording,
    condition: Condition,
    ranked: Sequence[Reported],
    target: float | None,
    baseline: str | None,
    names: Sequence[str],
) -> dict[str, Any]:
    """What is said of one condition: its activations with some metrics, which may be the best, its comparisons."""
    pairs = comparisons(recording, ranked)
    beside = None if baseline is None else against(recording, ranked, baseline)
    rows = [activation_row(recording, entry, target, names) for entry in ranked]
    return {
        "name": condition.name,
        "title": condition.title,
        "activations": rows,
        **best_set(recording, ranked, rows, pairs),
        "comparisons": pairs,
        "baseline": beside,
    }


def ranking(recording: Recording, reported: Sequence[Reported]) -> tuple[Reported, ...]:
    """Entries best first: by the mean of the metric that leads over members that survived, then by their test loss.

    Activations of which more than half of the members diverged come after all others, those without any
    survivor last.
    """

    lead = recording.lead

    # Beyond seven decimals accuracies differ by rounding: that does not rank them.
    def place(entry: Reported) -> tuple[bool, float, float]:
        value, *loss = (mean(last(recording.values(name), entry)) for name in compared(recording))
        worst = math.isnan(value)
        gain = float(lead.gain(value))
        return (
            worst or mostly_diverged(entry),
            math.inf if worst else -(round(gain, 7) if lead.is_share else gain),
            math.inf if worst or not loss else loss[0],
        )

    return tuple(sorted(reported, key=place))


def target_of(
    recording: Recording, reported: Sequence[Reported], without: Mapping[str, Any] | None = None
) -> float | None:
    """95 % of the highest mean validation accuracy an activation has at the last epoch; None without any.

    Likewise of another metric that leads; where lower values are better, the lowest mean over 95 %. None too where it
    is no better than what always naming the most frequent class, or always giving the same number, has (`without`, see
    `baselines_of`): nothing is learnt on the way to it. Activations that mostly diverged do not set it, unless all did.
    None of a metric that is known at the end alone.
    """
    lead = recording.lead
    if lead.at_end:
        return None
    steady = [entry for entry in reported if not mostly_diverged(entry)] or reported
    means = finite([mean(last(recording.metrics[lead.validation], entry)) for entry in steady])
    if not means.size:
        return None
    lower = lead.better == "lower"
    if not lower and means.max() <= 0:  # 95 % of a negative R² is a better one.
        return None
    target = float(means.min()) / TARGET_SHARE if lower else TARGET_SHARE * float(means.max())
    known = constant_value(lead, without or {}, "validation")
    least = known if known is not None or lower else 0.0
    return target if least is None or lead.gain(target) > lead.gain(least) else None


NEVER_NEGATIVE = ("loss", "rmse", "mae", "brier")


def _estimate(recording: Recording, entry: Reported, name: str) -> Estimate:
    """Mean over the seeds of a metric, its interval within what the metric can be."""
    found = estimate(last(recording.values(name), entry), step_of(recording, name))
    declared = next((own for own in recording.declared_metrics if name.partition("_")[2] == own["name"]), None)
    if found.ci95 is None or declared is None:
        return found
    is_share = declared["scale"] == 100
    low = 0.0 if is_share or declared["name"] in NEVER_NEGATIVE else -math.inf
    high = 1.0 if is_share or declared["name"] == "r2" else math.inf
    return replace(found, ci95=(max(low, found.ci95[0]), min(high, found.ci95[1])))


def activation_row(recording: Recording, entry: Reported, target: float | None, names: Sequence[str]) -> dict[str, Any]:
    """What is held of one activation.

    Args:
        recording: complete or not.
        entry: the activation.
        target: see `target_of`.
        names: of the metrics, as "test_accuracy", that are held.

    Returns:
        the metrics (see `Estimate`), their `values` by `seeds`; `best_p` (see
        `chances_of_best`); `test_accuracy_ci95_new_data` (interval over new seeds and new samples together);
        `diverged_ci95` (of the share of members that diverged); `epochs_to_target` and `milestones` (see
        `TimeToTarget`); `gradient_ratio`; `flat_share` and `dead_share` (mean over layers at the last epoch, median
        over seeds); `diverged_members`, of all its conditions; `learnt`, what its trainable parameters have become
        (see `learnt`); `confusion`, test samples by true and predicted class, (classes, classes), the mean over the
        seeds (see `confusion`), None of more than MOST_CLASSES; `label_confusion`, by whether they have a label and
        are said to, (labels, 2, 2) (see there).
    """
    diverged = sum(member.diverged_epoch is not None for member in entry.members)
    return {
        "name": entry.activation,
        "members": len(entry.members),
        "diverged": diverged,
        "diverged_ci95": share_interval(diverged, len(entry.members)) if entry.members else None,
        "test_accuracy_ci95_new_data": accuracy_on_new_data(recording, entry) if recording.lead == ACCURACY else None,
        **{name: asdict(_estimate(recording, entry, name)) for name in names},
        "epochs_to_target": _epochs_to_target(recording, entry, target),
        "seeds": [member.seed for member in entry.members],
        "learning_rate": entry.learning_rate,
        "learning_rate_at_edge": entry.edge is not None,
        "parameters": recording.facts.get("parameters", {}).get(entry.activation),
        "gradient_ratio": gradient_ratio(recording, entry),
        "flat_share": _share(recording, entry, "flat_share"),
        "dead_share": _share(recording, entry, "dead_share"),
        "diverged_members": [
            _diverged(member)
            for member in recording.members
            if member.activation == entry.activation and member.diverged_epoch is not None
        ],
        "milestones": _milestones(recording, entry),
        "learnt": learnt(recording, entry),
        "confusion": confusion(recording, entry) if len(recording.facts["classes"]) <= MOST_CLASSES else None,
        "label_confusion": label_confusion(recording, entry),
    }


def _estimated(recording: Recording, derived: bool) -> Iterator[str]:
    """Names of the numbers of which a mean over the seeds is held: every metric on the test data, and what is trained.

    The one that leads stands first. Those that are derived at the end are among them if they lead, or are asked for.
    """
    yield recording.lead.test
    yield from (name for name in ESTIMATED if name != recording.lead.test)
    further = recording.further_metrics
    yield from (f"test_{metric['name']}" for metric in further if derived or not metric.get("at_end"))


def _diverged(member: Member) -> dict[str, Any]:
    return {
        "seed": member.seed,
        "learning_rate": member.learning_rate,
        "init": member.init,
        "epoch": member.diverged_epoch,
        "reason": member.diverged_reason,
    }


def _epochs_to_target(recording: Recording, entry: Reported, target: float | None) -> dict[str, Any]:
    if target is None:
        return {"target": None, "median": None, "reached": None, "ci95": None, "reached_ci95": None}
    lead = recording.lead
    curves = lead.gain(recording.metrics[lead.validation][:, list(entry.columns)])
    return {"target": target, **asdict(time_to_target(first_epoch(curves, float(lead.gain(target)))))}


def _milestones(recording: Recording, entry: Reported) -> list[dict[str, Any]]:
    return [
        {"name": milestone.name, **asdict(time_to_target(milestone_epochs(recording, entry, milestone)))}
        for milestone in recording.study.milestones
    ]


def gradient_ratio(recording: Recording, entry: Reported) -> float | None:
    """How much of the gradient arrives: norm of the first layer's weight gradient over that of the last one.

    Median over the entry's members and all epochs, that of the untrained network among them; None with fewer
    than two weight layers.
    """
    norms = recording.probes.get("weight_gradient_norm")
    if norms is None or norms.shape[-1] < 2:
        return None
    norms = norms[:, list(entry.columns)].astype(float)
    # A last layer without gradient has no ratio: 0/0 and x/0 are masked like diverged members.
    with np.errstate(divide="ignore", invalid="ignore"):
        return median(norms[..., 0] / norms[..., -1])


def _share(recording: Recording, entry: Reported, probe: str) -> float | None:
    values = recording.probes.get(probe)
    return None if values is None else median(last(values, entry).mean(axis=-1))


def json_safe(value: Any) -> Any:
    """The value in plain Python that JSON can hold: tuples and arrays as lists, NaN and ±inf as None.

    >>> json_safe({"p": float("nan"), "ci95": (0, np.float32(0.5))})
    {'p': None, 'ci95': [0, 0.5]}
    """
    if isinstance(value, Mapping):
        return {str(key): json_safe(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [json_safe(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
