"""What a summary says in words: its headline, and the notes without which its numbers would mislead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from actlab.recording import Recording
from actlab.statistics.comparisons import SIGNIFICANT, pairs_needed, smallest_p
from actlab.statistics.selection import Entry


def counted(number: int, noun: str) -> str:
    """A number with its noun.

    >>> counted(1, "seed"), counted(5, "seed")
    ('1 seed', '5 seeds')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def listed(names: Iterable[str]) -> str:
    """Names as a list in a sentence.

    >>> listed(["mish", "silu", "elu"]), listed(["mish"])
    ('mish, silu and elu', 'mish')
    """
    *others, final = names
    return f"{', '.join(others)} and {final}" if others else final


# What an activation does in a contest that is not the main one.
BESIDE = {
    "stated": " with the settings as stated",
    "gain": " with weights scaled by its gain",
    "critical": " with weights at its critical point",
}


def notes(recording: Recording, contests: Mapping[str, Sequence[Entry]], target: float | None) -> list[str]:
    """The sentences a reader needs beside the numbers, the gravest first.

    Args:
        recording: what is summarised.
        contests: by name, the activations, best first; the main contest is the first one.
        target: the validation accuracy of "epochs to target", in [0, 1]; None if there is none.
    """
    where = {name: BESIDE.get(name, "") if place else "" for place, name in enumerate(contests)}
    found, named = _stopped(recording), set()
    for name, entries in contests.items():
        found += _diverged([entry for entry in entries if entry.columns not in named], where[name])
        named |= {entry.columns for entry in entries}
    if recording.epochs >= 0:
        found += _rates(recording)
        for name, entries in contests.items():
            found += _edges(entries, where[name])
        found += [*_without(recording), *_too_few_seeds(recording)]
    if target is not None:
        found.append(
            "Epochs to target: the median first epoch with a validation accuracy of at least "
            f"{100 * target:.1f} %, which is 95 % of the highest mean validation accuracy that an activation "
            "has at the last epoch."
        )
    if recording.study.milestones and recording.epochs >= 0:
        found.append(
            "Milestones: the median first epoch and the share of seeds that get there; a seed that never does "
            "counts as later than any other, and a start at the milestone only if it is never lost."
        )
    return found


def _stopped(recording: Recording) -> list[str]:
    wanted = recording.study.epochs
    if recording.epochs < 0:
        return ["The run was stopped before its first epochs were recorded: there is nothing to compare."]
    if recording.epochs < wanted:
        return [f"The run was stopped: the numbers are those after epoch {recording.epochs} of {wanted}."]
    return [] if recording.complete else ["The run was stopped after its last epoch: its throughput is not known."]


def _without(recording: Recording) -> list[str]:
    """Functions that start as stated because they have no gain or no critical point."""
    init = recording.study.init
    names = [
        name
        for name in recording.study.activations
        if init != "stated" and recording.functions[name].get("facts", {}).get(init) is None
    ]
    what = {"gain": "no gain", "critical": "no mean-field critical point"}.get(init)
    return [f"{listed(names)}: {what} is known, the weights are as stated."] if names else []


def _diverged(entries: Sequence[Entry], where: str) -> list[str]:
    found = []
    for entry in entries:
        diverged = [member for member in entry.members if member.diverged_epoch is not None]
        if not diverged:
            continue
        first = min(diverged, key=lambda member: member.diverged_epoch or 0)
        left = len(entry.members) - len(diverged)
        rest = f"its numbers are over the other {left}" if left else "it has no numbers"
        found.append(
            f"{entry.activation}{where}: {len(diverged)} of {counted(len(entry.members), 'member')} diverged, the "
            f"first at epoch {first.diverged_epoch} ({first.diverged_reason}); {rest}."
        )
    return found


def _rates(recording: Recording) -> list[str]:
    """Where learning rates were chosen: how, and for whom all of them diverged."""
    tuning = recording.facts.get("tuning") or []
    found = []
    if tuning:
        epochs, seeds = counted(recording.study.epochs, "epoch"), listed(map(str, recording.study.tuning_seeds))
        data = " on samples held out of the training data" if recording.study.validation == "test" else ""
        found.append(
            f"Each learning rate was chosen by the mean validation loss{data} after {epochs} with the seeds {seeds}, "
            "which serve nothing else."
        )
    for activation, init in {(row["activation"], row["init"]): None for row in tuning}:
        rows = [row for row in tuning if (row["activation"], row["init"]) == (activation, init)]
        if all(row["diverged"] == row["members"] for row in rows):
            rates = [row["learning_rate"] for row in rows]
            where = "" if init == "stated" else BESIDE[init]
            found.append(
                f"{activation}{where}: every learning rate tried diverged, from {min(rates):g} to {max(rates):g}."
            )
    return found


def _edges(entries: Sequence[Entry], where: str) -> list[str]:
    found: dict[tuple[float, str], list[str]] = {}
    for entry in entries:
        if entry.edge:
            found.setdefault((entry.learning_rate, entry.edge), []).append(entry.activation)
    return [
        f"The best learning rate of {listed(names)}{where} is {rate:g}, at the edge of those tried: a {edge} one may "
        "be better."
        for (rate, edge), names in found.items()
    ]


def _too_few_seeds(recording: Recording) -> list[str]:
    seeds, activations = len(recording.study.seeds), len(recording.study.activations)
    tests = activations * (activations - 1) // 2
    if not tests or smallest_p(seeds, tests) < SIGNIFICANT:
        return []
    needed, p = pairs_needed(tests), smallest_p(seeds)
    if p >= SIGNIFICANT:
        correction = f" with Holm's correction over {tests} pairs" if tests > 1 else ""
        return [
            f"With {counted(seeds, 'seed')} no two-sided Wilcoxon test can reach p < {SIGNIFICANT} (the "
            f"smallest possible p is {p:g}): more seeds are needed to tell activations apart, at least "
            f"{needed}{correction}."
        ]
    return [
        f"With {counted(seeds, 'seed')} and {tests} pairs of activations no two-sided Wilcoxon test can "
        f"reach p < {SIGNIFICANT} after Holm's correction (the smallest possible p is "
        f"{smallest_p(seeds, tests):.3g}): at least {needed} seeds are needed to tell activations apart."
    ]


def headline(summary: Mapping[str, Any]) -> str:
    """Which activation is best, by how much, and which cannot be told apart from it.

    Args:
        summary: what `summarise` returns, or what `summary.json` holds.
    """
    entered = summary["activations"]
    ranked = [a for a in entered if a["test_accuracy"]["mean"] is not None]
    if summary["epoch"] is None:
        return "Nothing was recorded."
    if not ranked:
        return f"No result: all members of {listed(a['name'] for a in entered)} diverged."
    best, *others = ranked
    # What mostly diverged is not compared: the few that are left of it say nothing for it.
    broken = [other for other in entered if other is not best and other["diverged"] > other["members"] / 2]
    others = [other for other in others if other not in broken]
    sentence = f"{best['name']} reaches a test accuracy of {_accuracy(best)}"
    if others:
        sentence = f"{best['name']} is best: test accuracy {_accuracy(best)}, {_lead(best, others[0])}"
    said = [f"{sentence} {_basis(summary, best)}.", *_told_apart(summary, best, others)]
    if broken:
        said.append(f"Not compared: {listed(map(_broken, broken))}.")
    return " ".join(said)


def _broken(activation: Mapping[str, Any]) -> str:
    return f"{activation['name']} (diverged with {activation['diverged']} of {counted(activation['members'], 'seed')})"


def _basis(summary: Mapping[str, Any], best: Mapping[str, Any]) -> str:
    epoch, wanted = summary["epoch"], summary["study"]["epochs"]
    count, members = best["test_accuracy"]["count"], best["members"]
    epochs = counted(wanted, "epoch") if epoch == wanted else f"{epoch} of {counted(wanted, 'epoch')}"
    seeds = counted(members, "seed") if count == members else f"{count} of {counted(members, 'seed')}"
    return f"after {epochs} over {seeds}"


def _accuracy(activation: Mapping[str, Any]) -> str:
    accuracy = activation["test_accuracy"]
    interval = accuracy["ci95"]
    shown = f" [{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]" if interval else ""
    return f"{100 * accuracy['mean']:.1f} %{shown}"


def _lead(best: Mapping[str, Any], second: Mapping[str, Any]) -> str:
    lead = 100 * (best["test_accuracy"]["mean"] - second["test_accuracy"]["mean"])
    return f"{lead:.1f} points ahead of {second['name']}" if lead >= 0.05 else f"level with {second['name']}"


def _told_apart(summary: Mapping[str, Any], best: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> list[str]:
    """The sentence about what is statistically indistinguishable from the best."""
    if not others:
        return []
    compared = [c for c in summary["comparisons"] if c["metric"] == "test_accuracy"]
    if smallest_p(max(c["pairs"] for c in compared), len(compared)) >= SIGNIFICANT:
        return ["So few seeds cannot tell any two activations apart by a test: look at the intervals."]
    p = {c["b"]: c["p_holm"] for c in compared if c["a"] == best["name"]}
    alike = [other["name"] for other in others if p[other["name"]] is None or p[other["name"]] >= SIGNIFICANT]
    test = "(Wilcoxon signed-rank by seed, Holm's correction)"
    if not alike:
        return [f"The difference from {_all_of(others)} is significant {test}."]
    if len(alike) == len(others):
        return [f"Statistically it cannot be told apart from {_all_of(others)} {test}."]
    return [f"Statistically it cannot be told apart from {listed(alike)} {test}, but from the others it can."]


def _all_of(others: Sequence[Mapping[str, Any]]) -> str:
    names = [other["name"] for other in others]
    return listed(names) if len(names) < 3 else f"any of the other {len(names)}"
