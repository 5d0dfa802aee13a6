"""What a summary says in words: its headline, and the notes without which its numbers would mislead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from actlab.objectives import BALANCED, Lead, lead_in
from actlab.recording import Recording
from actlab.statistics.baselines import at_chance, not_better
from actlab.statistics.choice import choices
from actlab.statistics.selection import Reported, mostly_diverged
from actlab.statistics.simultaneous import FEWEST_SEEDS
from actlab.statistics.trained import words_of
from actlab.wording import counted, listed

# A choice that fewer than so many draws of the tuning seeds would make again is told of, so many at most.
FIRM = 0.8
MOST_LOOSE = 3
# Names that a sentence lists before it counts.
MOST_NAMED = 8


# What an activation does in a condition that is not the main one.
BESIDE = {
    "stated": " with the settings as stated",
    "gain": " with weights scaled by its gain",
    "critical": " with weights at its critical point",
}


def notes(
    recording: Recording,
    conditions: Mapping[str, Sequence[Reported]],
    target: float | None,
    baseline: str | None = None,
) -> list[str]:
    """The sentences a reader needs beside the numbers, the gravest first.

    Args:
        recording: what is summarised.
        conditions: by name, the activations, best first; the main condition is the first one.
        target: of the validation data, what "epochs to target" waits for in the metric that leads; None without any.
        baseline: the activation that all others are compared with, where there is one.
    """
    where = {name: BESIDE.get(name, "") if place else "" for place, name in enumerate(conditions)}
    found, named = _stopped(recording), set()
    for name, reported in conditions.items():
        found += _diverged([entry for entry in reported if entry.columns not in named], where[name])
        named |= {entry.columns for entry in reported}
    if recording.epochs >= 0:
        main = next(iter(conditions.values()))
        found += _baseline(main, baseline)
        found += _rates(recording)
        for name, reported in conditions.items():
            found += _edges(reported, where[name], words_of(recording.study).best_rate)
        found += [
            *recording.facts.get("data_notes", ()),
            *_imbalance(recording),
            *weighed(recording),
            *_without(recording),
            *_too_few_seeds(recording),
            *_meaning_of_best(recording, main),
        ]
        found += [*_lacking(recording), *_target(recording, target)]
    if recording.study.milestones and recording.epochs >= 0:
        found.append(
            "Milestones: the median first epoch and the share of seeds that get there; a seed that never does "
            "counts as later than any other, and a start at the milestone only if it is never lost."
        )
    return found


def _lacking(recording: Recording) -> list[str]:
    """Why a metric that was asked for does not lead, and which ones these test samples do not define."""
    found = []
    for metric in recording.objective.derived:
        reason, asked = recording.lacks(metric.name), metric.name == (recording.metric or recording.study.metric)
        if reason and (asked or recording.outputs is not None):
            told = f"; {recording.lead.title} leads" if asked else ""
            found.append(f"{reason[0].upper()}{reason[1:]}{told}.")
    return found


def _target(recording: Recording, target: float | None) -> list[str]:
    """What is waited for; or why there is nothing to wait for."""
    lead = recording.lead
    if lead.at_end:
        return [
            f"{lead.title[:1].upper()}{lead.title[1:]} is known after the last epoch alone: curves show "
            f"{recording.followed.title}, and there are no epochs to a target."
        ]
    if target is not None:
        return [_meaning_of_target(recording, target)]
    if all(member.diverged_epoch is not None for member in recording.members):
        return []
    known = recording.objective.decides
    answer = "always naming the most frequent class gets" if known else "always giving the same answer has"
    if lead.better == "lower":
        return [
            f"Epochs to target: there is no target, for the lowest mean validation {lead.title} over 95 % is no better "
            f"than {answer}."
        ]
    return [
        f"Epochs to target: there is no target, for 95 % of the highest mean validation {lead.title} is no more than "
        f"{answer}."
    ]


def _baseline(reported: Sequence[Reported], baseline: str | None) -> list[str]:
    if baseline is None:
        return []
    entry = next(entry for entry in reported if entry.activation == baseline)
    if mostly_diverged(entry):
        return [f"{baseline}, the baseline, mostly diverged: nothing can be compared with it, and all pairs are told."]
    return [
        f"Pairs are told of each activation with {baseline}, the baseline, all asked at once; the headline is of all "
        "activations, as without it."
    ]


def _meaning_of_best(recording: Recording, reported: Sequence[Reported]) -> list[str]:
    compared = [entry for entry in reported if entry.members and not mostly_diverged(entry)]
    if len(compared) < 2 or len(recording.study.seeds) < FEWEST_SEEDS:
        return []
    return [
        "May be the best: all that are not told from a better one, at 95 %, by flipping the signs of whole seeds, and "
        "all of them where no two are told apart; of several that are equally good one may be left out. It is said of "
        "the mean over seeds on these test samples."
    ]


def _meaning_of_target(recording: Recording, target: float) -> str:
    lead = recording.lead
    least, share = ("least", "is 95 % of") if lead.better == "higher" else ("most", "times 95 % is")
    told = (
        f"Epochs to target: the median first epoch with a validation {lead.title} of at {least} {lead.said(target)}, "
        f"which {share} the {lead.best} mean validation {lead.title} that an activation has at the last epoch"
    )
    if recording.study.validation == "test":
        return f"{told}; the validation data of this study are its test data."
    return f"{told}."


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


def _diverged(reported: Sequence[Reported], where: str) -> list[str]:
    found = []
    for entry in reported:
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
        words = words_of(recording.study)
        data = ""
        if recording.study.validation == "test":
            held = "the data that the results are of as well, with other seeds" if words.own_loop else ""
            data = f" on {held or 'samples held out of the training data'}"
        found.append(
            f"Each {words.rate} was chosen by the mean validation loss{data} after {epochs} with the seeds {seeds}, "
            "which serve nothing else; every interval is for that rate, chosen once."
        )
        found += _firmness(choices(tuning))
    for activation, init in {(row["activation"], row["init"]): None for row in tuning}:
        rows = [row for row in tuning if (row["activation"], row["init"]) == (activation, init)]
        if all(row["diverged"] == row["members"] for row in rows):
            rates, rate = [row["learning_rate"] for row in rows], words_of(recording.study).rate
            where = "" if init == "stated" else BESIDE[init]
            found.append(f"{activation}{where}: every {rate} tried diverged, from {min(rates):g} to {max(rates):g}.")
    return found


def _firmness(chosen: Sequence[Mapping[str, Any]]) -> list[str]:
    """Where other tuning seeds would often have chosen another rate, and what that does."""
    loose = sorted((row for row in chosen if row["chosen_again"] < FIRM), key=lambda row: row["chosen_again"])
    if not loose:
        return []
    told = [_loose(row) for row in loose[:MOST_LOOSE]]
    more = f" and {counted(len(loose) - MOST_LOOSE, 'other')}" if len(loose) > MOST_LOOSE else ""
    seeds = counted(loose[0]["seeds"], "tuning seed")
    return [f"The choice rests on {seeds}: drawn anew, these often choose another rate for {listed(told)}{more}."]


def _loose(row: Mapping[str, Any]) -> str:
    where = "" if row["init"] == "stated" else BESIDE[row["init"]]
    shares = {"accuracy_sd": "accuracy", "micro_f1_sd": "micro F1"}
    moves = [f"{title} by {100 * row[key]:.2g} points" for key, title in shares.items() if key in row]
    moves += [f"RMSE by {row['rmse_sd']:.2g}"] if "rmse_sd" in row else []
    moved = f", which moves its validation {moves[0]}, standard deviation" if moves else ""
    return (
        f"{row['activation']}{where} ({100 * (1 - row['chosen_again']):.0f} % of draws, mostly "
        f"{row['rates'][0]['learning_rate']:g} instead of {row['learning_rate']:g}{moved})"
    )


def _edges(reported: Sequence[Reported], where: str, rate_words: str) -> list[str]:
    found: dict[tuple[float, str], list[str]] = {}
    for entry in reported:
        if entry.edge:
            found.setdefault((entry.learning_rate, entry.edge), []).append(entry.activation)
    return [
        f"The {rate_words} of {listed(names)}{where} is {rate:g}, at the edge of those tried: a {edge} one may "
        "be better."
        for (rate, edge), names in found.items()
    ]


def _imbalance(recording: Recording) -> list[str]:
    """Why balanced accuracy leads where nobody asked for it."""
    if recording.lead != BALANCED or recording.metric or recording.study.metric:
        return []
    counts = np.asarray(recording.facts["class_counts"], dtype=float)
    largest = recording.facts["classes"][int(counts.argmax())]
    return [
        f"Balanced accuracy leads, the mean of each class's share right: {100 * counts.max() / counts.sum():.1f} % of "
        f"the training samples are {largest!r}, and always naming that would look good. --metric accuracy leads by "
        "accuracy."
    ]


def weighed(recording: Recording) -> list[str]:
    """That classes weigh differently in training."""
    weights = recording.study.class_weights
    if weights is None:
        return []
    how = "alike" if weights == "balanced" else listed([f"{name} {weight:g}" for name, weight in weights.items()])
    every = weights == "balanced" or len(weights) == len(recording.facts["classes"])
    others = "" if every else ", all others 1"
    chosen = ", and learning rates chosen by such losses" if recording.facts.get("tuning") else ""
    return [f"In training, classes weigh {how}{others}; losses are shown without these weights{chosen}."]


def _too_few_seeds(recording: Recording) -> list[str]:
    seeds = len(recording.study.seeds)
    if len(recording.study.activations) < 2 or seeds >= FEWEST_SEEDS:
        return []
    if seeds == 1:
        return ["One seed has no spread: there is no interval, and nothing can be told apart."]
    return [
        f"With {counted(seeds, 'seed')} nothing can be told apart, however large it is (sign flips; the smallest "
        f"possible p is {2 / 2**seeds:.3g}): at least {FEWEST_SEEDS} seeds are needed."
    ]


def headline(summary: Mapping[str, Any]) -> str:
    """Which activations may be the best, and which are not; that one is best only where no other may be.

    Args:
        summary: what `summarise` returns, or what `summary.json` holds.
    """
    reported = summary["activations"]
    lead = lead_in(summary)
    ranked = [a for a in reported if a[lead.test]["mean"] is not None]
    if summary["epoch"] is None:
        return "Nothing was recorded."
    if not ranked:
        return f"No result: all members of {listed(a['name'] for a in reported)} diverged."
    best, *others = [a for a in ranked if a["name"] not in summary["not_compared"]] or ranked
    basis, named = _basis(summary, best, lead), _at_the_top([best, *others], lead)
    value, top = f"test {lead.title} {_value(best, lead)}", f"{lead.best.capitalize()} mean"
    if at_chance(summary, best):
        verdict = "At chance" if summary["chance"] else "No better than a constant"
        said = [f"{verdict}: {not_better(summary)}. {top}: {named}, {_value(best, lead)} {basis}."]
    elif not others:
        said = [f"{best['name']} reaches a test {lead.title} of {_value(best, lead)} {basis}."]
    elif summary["best_set"] == [best["name"]]:
        distance = lead.distance(best[lead.test]["mean"] - others[0][lead.test]["mean"])
        ahead = f"{distance} ahead of {others[0]['name']}"
        said = [f"{best['name']} is best: {value}, {ahead} {basis}.", *_best(summary, best)]
    else:
        said = [f"{top}: {named}, {value} {basis}.", *_best(summary, best)]
    # The survivors of an activation that mostly diverged say nothing for it.
    if broken := [other for other in reported if other is not best and other["diverged"] > other["members"] / 2]:
        said.append(f"Not compared: {listed(map(_broken, broken))}.")
    return " ".join(said)


def _at_the_top(ranked: Sequence[Mapping[str, Any]], lead: Lead) -> str:
    """The activation of the best mean, or all that share it but for rounding."""
    best = ranked[0][lead.test]["mean"]
    resolution = 1e-7 * (1.0 if lead.is_share else abs(best))
    return listed([a["name"] for a in ranked if abs(a[lead.test]["mean"] - best) <= resolution])


def _best(summary: Mapping[str, Any], best: Mapping[str, Any]) -> list[str]:
    """Which activations may be the best, which are not, over which seeds that is said, and what holds for new data."""
    held, out, seeds = summary["best_set"], summary["not_best"], summary["best_seeds"]
    if not seeds and not held:
        return ["No seed trained with all of them: they cannot be compared."]
    wanted = max(row["members"] for row in summary["activations"])
    over = f" over the {counted(seeds, 'seed')} that trained with all of them" if seeds < wanted else ""
    if not held:
        return []
    if seeds < FEWEST_SEEDS:
        return [f"Which may be the best, {counted(seeds, 'seed')} cannot say: at least {FEWEST_SEEDS} are needed."]
    if not out:
        return [f"Any of the {len(held)} may be the best{over}."]
    # Over other seeds, some of which diverged, another one may have the highest mean.
    if held == [best["name"]]:
        return [f"Not the best (95 %{over}): {_named(out)}.", *_on_new_data(summary)]
    return [f"May be the best{over}: {_named(held)}. Not the best (95 %): {_named(out)}.", *_on_new_data(summary)]


def _on_new_data(summary: Mapping[str, Any]) -> list[str]:
    """What is left of it when the test samples are a sample too."""
    worse, samples = summary["not_best_new_data"], (summary["samples"] or {}).get("test")
    if worse is None or not samples:
        return []
    if set(worse) >= set(summary["not_best"]):
        return [f"That holds for new data too, as far as {samples:,} test samples tell."]
    if not worse:
        return [f"For new data {samples:,} test samples are too few to tell any of them apart."]
    return [f"For new data {samples:,} test samples tell only {_named(worse)} from a better one."]


def _named(names: Sequence[str]) -> str:
    """The names as a list; of many the first, and how many more.

    >>> _named(["relu", "tanh"]), _named(["a"] * 12)
    ('relu and tanh', 'a, a, a, a, a, a, a and 5 others')
    """
    if len(names) <= MOST_NAMED:
        return listed(names)
    return listed([*names[: MOST_NAMED - 1], f"{len(names) - MOST_NAMED + 1} others"])


def _broken(activation: Mapping[str, Any]) -> str:
    return f"{activation['name']} (diverged with {activation['diverged']} of {counted(activation['members'], 'seed')})"


def _basis(summary: Mapping[str, Any], best: Mapping[str, Any], lead: Lead) -> str:
    epoch, wanted = summary["epoch"], summary["study"]["epochs"]
    count, members = best[lead.test]["count"], best["members"]
    span = words_of(summary["study"]).span(wanted)
    epochs = span if epoch == wanted else f"{epoch} of {span}"
    seeds = counted(members, "seed") if count == members else f"{count} of {counted(members, 'seed')}"
    return f"after {epochs} over {seeds}"


def _value(activation: Mapping[str, Any], lead: Lead) -> str:
    estimate = activation[lead.test]
    ends = estimate["ci95"]
    shown = f" [{lead.number(ends[0])}, {lead.number(ends[1])}]" if ends else ""
    return f"{lead.said(estimate['mean'])}{shown}"
