"""Published numbers beside ours: what agrees, what does not, and by how much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from actlab.network import expand
from actlab.recipes import RECIPES, Published
from actlab.recording import Recording
from actlab.statistics.intervals import Interval, estimate, finite, prediction_interval
from actlab.statistics.selection import Reported, conditions_of, reported, step_of
from actlab.statistics.sign_flips import ALPHA
from actlab.statistics.time_to_target import milestone_epochs
from actlab.study import Study
from actlab.wording import counted

MILESTONE = "milestone:"
# Settings that do not change what a member computes.
OF_NO_ACCOUNT = {"name", "seeds", "tuning_seeds", "activations", "probe_samples", "milestones", "provenance", "digest"}
# The rate and the initial weights are those of the condition that is compared.
OF_THE_CONDITION = {"learning_rates", "stated_rate", "chosen_rates", "init"}
Row = dict[str, Any]


def compare_published(recording: Recording, values: Sequence[Published] | None = None) -> list[Row]:
    """Each published number of the recipe that a study was made from, held against the members of this recording.

    A number is that of one run, so it agrees if it lies where one more seed of ours would in 95 of 100 cases (Student's
    prediction interval, mean ± t·s·√(1 + 1/n)), or within the tolerance of the recipe about our mean: more seeds do not
    make it easier. A milestone's epoch agrees if more than 5 % of our seeds are at least as extreme, to either side;
    never is later than any.

    Args:
        recording: of a study that has the name of a recipe.
        values: the published numbers; those of the recipe where None.

    Returns:
        `metric`, `activation`, `epoch`, `published`, `measured` (`mean`, `ci95`, `count`, `low` and `high` over the
        seeds, `one_more`, where one more seed would lie; for a milestone also `median`, `reached`, the share of seeds
        that get there, and `as_extreme`, that of seeds at least as extreme), `agrees`, `verdict`,
        the source's `note` and all of it as a `sentence`. `agrees` is None where a comparison would not be fair: other
        settings than the recipe's, one seed and no tolerance, or nothing measured. Empty for a study of no recipe.
    """
    recipe = RECIPES.get(recording.study.name)
    if recipe is None or recording.epochs < 0 or recording.study.own_loop:
        return []
    held = conditions_of(recording)
    condition = next((condition for condition in held if condition.name == "stated"), held[0])
    by_name = {entry.activation: entry for entry in reported(recording, condition)}
    found = []
    for value in recipe.published if values is None else values:
        entry = by_name.get(value.activation)
        if entry is not None and entry.members:
            compared = _milestone if value.metric.startswith(MILESTONE) else _metric
            row = compared(recording, entry, value)
            differing = differences(recording.study, recipe.study, entry)
            if row is not None and differing:
                why = f"settings differ: {'; '.join(differing)}"
                row |= {"agrees": None, "verdict": why, "sentence": f"{_named(value)}: not compared, {why}."}
            found += [row] if row is not None else []
    return found


def differences(study: Study, recipe: Study, entry: Reported) -> list[str]:
    """In which settings a study differs from a recipe's, for one activation, in words.

    Seeds and the choice of activations do not count: every member is trained by itself.
    """
    ours, theirs = (s.model_dump(exclude=OF_NO_ACCOUNT | OF_THE_CONDITION | {"network"}) for s in (study, recipe))
    found = [f"{_setting(name)} {_plain(ours[name])} instead of {_plain(theirs[name])}" for name in ours
             if ours[name] != theirs[name]]  # fmt: skip
    # A user's own network has no layers.
    if not isinstance(study.network, tuple) or expand(study.network) != expand(recipe.network or ()):
        found.append("another network")
    rates = recipe.learning_rates or (recipe.stated_rate,)
    if entry.learning_rate != rates[0]:
        found.append(f"learning rate {entry.learning_rate:g} instead of {rates[0]:g}")
    return found


def _setting(name: str) -> str:
    return name.replace("_", " ")


def _plain(value: Any) -> str:
    """A setting's value in a word: of an optimiser its name and numbers."""
    if isinstance(value, Mapping):
        return " ".join(f"{item:g}" if isinstance(item, float) else str(item) for item in value.values())
    return str(value)


def _named(value: Published) -> str:
    metric = value.metric.removeprefix(MILESTONE).replace("_", " ")
    return f"{value.activation}, {metric}" + (f" after epoch {value.epoch}" if value.epoch is not None else "")


def _row(value: Published, epoch: int | None, measured: Row, agrees: bool | None, said: str, verdict: str) -> Row:
    note = f" ({value.note})" if value.note else ""
    return {
        "metric": value.metric,
        "activation": value.activation,
        "epoch": epoch,
        "published": value.value,
        "measured": measured,
        "agrees": agrees,
        "verdict": verdict,
        "note": value.note,
        "sentence": f"{_named(value)}: published {value.value:g}{note}, {said}: {verdict}.",
    }


def _metric(recording: Recording, entry: Reported, value: Published) -> Row:
    epoch = recording.study.epochs if value.epoch is None else value.epoch
    columns = list(entry.columns)
    known = epoch <= recording.epochs
    own = finite(recording.metrics[value.metric][epoch, columns]) if known else np.empty(0)
    found = estimate(own, step_of(recording, value.metric))
    measured: Row = {"mean": found.mean, "ci95": found.ci95, "count": found.count, "low": None, "high": None}
    if not own.size:
        why = "all members diverged" if known else f"the run ended after epoch {recording.epochs}"
        return _row(value, epoch, measured, None, "not measured", why)
    low, high = float(own.min()), float(own.max())
    one_more = prediction_interval(own, step=step_of(recording, value.metric))
    measured |= {"low": low, "high": high, "one_more": one_more}
    agrees, words = _verdict(value, found.mean, one_more)
    spread = f" ({low:.4g} to {high:.4g})" if found.count > 1 else ""
    said = f"measured {found.mean:.4g} over {counted(found.count, 'seed')}{spread}"
    return _row(value, epoch, measured, agrees, said, words)


def _verdict(value: Published, mean: float, one_more: Interval | None) -> tuple[bool | None, str]:
    distance = value.value - mean
    apart = f"{abs(distance):.2g} {'above' if distance > 0 else 'below'} our mean"
    if one_more is not None and one_more[0] <= value.value <= one_more[1]:
        return True, "it lies where one more seed would"
    if value.tolerance is not None:
        within = abs(distance) <= value.tolerance
        return within, f"it lies {apart}, {'within' if within else 'beyond'} the tolerance of {value.tolerance:g}"
    if one_more is not None:
        return (
            False,
            f"it lies {apart}, where one more seed would hardly (95 %: {one_more[0]:.4g} to {one_more[1]:.4g})",
        )
    return None, f"it lies {apart}, and one seed has no spread to judge by"


def _milestone(recording: Recording, entry: Reported, value: Published) -> Row | None:
    name = value.metric.removeprefix(MILESTONE)
    milestone = next((m for m in recording.study.milestones if m.name == name), None)
    if milestone is None:
        return None
    epochs = milestone_epochs(recording, entry, milestone)
    there = epochs[np.isfinite(epochs)]
    found = estimate(there)
    share = len(there) / len(epochs)
    median = float(np.median(epochs))
    measured: Row = {"mean": found.mean, "ci95": found.ci95, "count": found.count, "low": None, "high": None}
    measured |= {"median": median, "reached": share}
    if not len(there):
        return _row(value, None, measured, False, "measured", f"none of {counted(len(epochs), 'seed')} gets there")
    low, high = float(there.min()), float(there.max())
    measured |= {"low": low, "high": high}
    as_extreme = min(1.0, 2 * float(min(np.mean(epochs <= value.value), np.mean(epochs >= value.value))))
    measured["as_extreme"] = as_extreme
    agrees = None if len(epochs) == 1 else as_extreme > ALPHA
    soon = np.mean(epochs <= value.value)
    middle = f"the median seed gets there at epoch {median:g}" if np.isfinite(median) else "the median seed never does"
    words = (
        f"{len(there)} of {counted(len(epochs), 'seed')} get there, from epoch {low:g} to {high:g}, and {middle}; "
        f"{100 * soon:.0f} % of all seeds are there by the published epoch, {100 * as_extreme:.0f} % are at least as "
        "extreme"
    )
    return _row(value, None, measured, agrees, "measured", words)


def verdict(rows: Sequence[Mapping[str, Any]]) -> str:
    """How many published numbers agree, in a sentence; empty where there are none.

    >>> verdict([{"agrees": True}, {"agrees": False}, {"agrees": None}])
    'Of 3 published numbers 1 agrees with ours, 1 does not, 1 cannot be compared.'
    """
    if not rows:
        return ""
    agreed, not_agreed, open_ones = (sum(row["agrees"] is wanted for row in rows) for wanted in (True, False, None))
    parts = [f"{agreed} {'agrees' if agreed == 1 else 'agree'} with ours"]
    parts += [f"{not_agreed} {'does' if not_agreed == 1 else 'do'} not"] if not_agreed else []
    parts += [f"{open_ones} cannot be compared"] if open_ones else []
    return f"Of {counted(len(rows), 'published number')} {', '.join(parts)}."
