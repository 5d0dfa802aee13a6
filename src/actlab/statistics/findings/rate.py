"""Whether the learning rate moves the weights too far at a step, or nowhere in all of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from actlab.recording import Recording
from actlab.statistics.findings.course import Course, probe
from actlab.statistics.findings.finding import Finding, finding, share, when
from actlab.statistics.findings.units import DEAD, NEARLY_ALL
from actlab.statistics.intervals import median
from actlab.statistics.selection import Reported, mostly_diverged
from actlab.statistics.trained import words_of
from actlab.wording import counted, listed, number

# In the first epochs one step that changes weights by two fifths of their size forgets more than it learns. Healthy
# networks of `benchmarks/faults.py` are at most at 0.08, those of Adam at 0.3 above 2. Of 60 healthy and 60 faulty
# trainings in PyTorch, 2 and 10 were above 0.4 in their first five steps.
EARLY, FIRST_EPOCHS = 0.4, 3
# All through the training: healthy ones have a median of 0.005 at most.
USUAL = 0.1
# A training loss that rises to this many times what it began at: healthy ones never rise above it at all.
RISES = 2.0
# Weights that move by less than this share of their size in all steps together stay the random ones. Healthy networks
# move by a quarter and more.
UNMOVED = 0.05
# Of fewer steps one cannot say that they are too small: there may be too few.
FEW_STEPS = 500


def rate_too_high(recording: Recording, entry: Reported, went: Course) -> Finding | None:
    """Whether steps are too large: by ‖ΔW‖/‖W‖, by a loss that rises far above the untrained one, by units that die.

    Told only of what ends badly: a large step that does no harm is none too large.
    """
    said, evidence = _large_steps(recording, entry, went)
    if went.poor:
        for more, of in (_rising_loss(went), _dying(recording, entry)):
            said += more
            evidence |= of
    if not said:
        return None
    sentence = (
        f"{entry.activation}: the learning rate {entry.learning_rate:g} is too high: {listed(said)}; the training "
        f"loss ends at {number(went.train_loss[-1])} times that of the best constant answer."
    )
    remedy = _other_rate(recording, entry, -1, "Take a tenth of the learning rate, or a hundredth.")
    evidence |= {"learning_rate": entry.learning_rate}
    return finding("rate_too_high", "warning", sentence, evidence, activation=entry.activation, remedy=remedy)


def diverges(recording: Recording, entry: Reported) -> Finding | None:
    """Whether most of an activation's networks diverge: their steps are too large, whatever made them so."""
    if not mostly_diverged(entry):
        return None
    ends = [member.diverged_epoch for member in entry.members if member.diverged_epoch is not None]
    words = words_of(recording.study)
    if any(member.raised for member in entry.members):
        return None  # A loop of a user's own that raised something says nothing of its rate.
    sentence = (
        f"{entry.activation}: {len(ends)} of {counted(len(entry.members), 'seed')} diverge at "
        f"{words.at_rate(entry.learning_rate)}, the first at epoch {min(ends)}: it is too high."
    )
    evidence = {"diverged": len(ends), "members": len(entry.members), "learning_rate": entry.learning_rate}
    remedy = _other_rate(recording, entry, -1, "Take a tenth of the learning rate, or a hundredth.")
    return finding("rate_too_high", "warning", sentence, evidence, activation=entry.activation, remedy=remedy)


def _other_rate(recording: Recording, entry: Reported, direction: int, usual: str) -> str:
    """What to do about a rate; where others in that direction were tried for it and did worse, not to try them."""
    rows = [row for row in recording.facts.get("tuning") or [] if row["activation"] == entry.activation]
    rates = [row["learning_rate"] for row in rows if direction * (row["learning_rate"] - entry.learning_rate) > 0]
    if not rates or entry.learning_rate not in {row["learning_rate"] for row in rows}:
        return usual
    furthest = max(rates) if direction > 0 else min(rates)
    return (
        f"Rates {'up' if direction > 0 else 'down'} to {furthest:g} were tried for it and did worse: "
        f"{'train longer, or ' if direction > 0 else ''}look at the inputs, the initial weights and the depth first."
    )


Said = tuple[list[str], dict[str, Any]]


def _large_steps(recording: Recording, entry: Reported, went: Course) -> Said:
    """‖ΔW‖/‖W‖ of the middle layer: one that starts near zero moves by any multiple of that."""
    ratios = probe(recording, entry, "update_ratio")
    if ratios is None:
        return [], {}
    middle = np.array([median(row) for row in ratios])
    early, usual = np.nanmax(middle[:FIRST_EPOCHS], initial=0.0), median(middle[1:])
    evidence = {"update_ratio": {"first": float(early), "median": usual}}
    if early > EARLY and went.hindered:
        epoch = int(np.nanargmax(middle[:FIRST_EPOCHS]))
        return [f"a step changes weights by {share(float(early))} of their size ({when(epoch)})"], evidence
    if usual > USUAL and went.poor:
        return [f"a step changes weights by {share(usual)} of their size (median over epochs)"], evidence
    return [], evidence


def _rising_loss(went: Course) -> Said:
    highest = float(np.nanmax(went.train_loss[1:], initial=0.0))
    evidence = {"loss": {"first": went.train_loss[0], "highest": highest, "last": went.train_loss[-1]}}
    if not highest > RISES * max(went.train_loss[0], 1.0):
        return [], evidence
    epoch = 1 + int(np.nanargmax(went.train_loss[1:]))
    risen = f"from {number(went.train_loss[0])} to {number(highest)} times that"
    return [f"the training loss rises {risen} of the best constant answer ({when(epoch)})"], evidence


def _dying(recording: Recording, entry: Reported) -> Said:
    """Units that were alive and are nearly all dead at the end, at the place where most die."""
    shares = probe(recording, entry, "dead_share")
    if shares is None or not np.isfinite(shares[[0, -1]]).all(axis=0).any():
        return [], {}
    place = int(np.nanargmax(shares[-1] - shares[0]))
    first, end = float(shares[0, place]), float(shares[-1, place])
    evidence = {"dead": {"layer": recording.act_layers[place], "first": first, "last": end}}
    if not (first <= DEAD and end > NEARLY_ALL):
        return [], evidence
    died = (
        f"{share(end)} of the units at {recording.act_layers[place]} die, of which {share(first)} were dead untrained"
    )
    return [died], evidence


def rate_too_low(recording: Recording, entry: Reported, went: Course) -> Finding | None:
    """Whether the weights hardly move: Σ over steps of ‖ΔW‖/‖W‖, in the layer where it is largest, is a few per cent.

    Each epoch's ratio is taken for all of its steps; the sum is what the weights would move by, were all steps in one
    direction. Told only of what ends badly.
    """
    ratios = probe(recording, entry, "update_ratio")
    if ratios is None or not went.poor:
        return None
    steps = steps_in_epoch(recording)
    known = np.where(np.isfinite(ratios[1:]), ratios[1:], 0.0)
    moved = float((steps * known.sum(axis=0)).max())
    if not 0 < moved < UNMOVED:
        return None
    few = too_few_steps(steps * recording.epochs, moved)
    sentence = (
        f"{entry.activation}: the learning rate {entry.learning_rate:g} is too low"
        f"{' for so few steps' if few else ''}: in all {counted(recording.epochs, 'epoch')} of "
        f"{counted(steps, 'step')}, the weights move by at most {share(moved)} of their size, and the training loss "
        f"goes from {number(went.train_loss[0])} to {number(went.train_loss[-1])} times the constant answer's."
    )
    spread = probe(recording, entry, "activation_std")
    evidence = {
        "moved": moved,
        "signal": float("nan") if spread is None else float(spread[0, -1]),
        "steps": steps * recording.epochs,
        "learning_rate": entry.learning_rate,
        "loss": {"first": went.train_loss[0], "last": went.train_loss[-1]},
    }
    longer = "Train longer, or take" if few else "Take"
    usual = f"{longer} a learning rate some {fitting_factor(moved):,} times as high."
    remedy = _other_rate(recording, entry, 1, usual)
    return finding("rate_too_low", "warning", sentence, evidence, activation=entry.activation, remedy=remedy)


def steps_in_epoch(recording: Recording) -> int:
    """Training steps of an epoch; 1 in recordings that do not say how many samples there are."""
    samples = recording.facts.get("samples", {}).get("train")
    return -(-samples // recording.study.batch) if samples else 1


def too_few_steps(steps: int, moved: float) -> bool:
    """Whether more steps would do as well as larger ones: there were few, and the weights move by a few per cent."""
    return steps < FEW_STEPS and fitting_factor(moved) <= 100


def fitting_factor(moved: float) -> int:
    """The power of ten that makes weights move by about their own size instead of a share of it.

    >>> fitting_factor(0.002), fitting_factor(0.04)
    (1000, 100)
    """
    return int(10 ** np.ceil(np.log10(1 / moved)))
