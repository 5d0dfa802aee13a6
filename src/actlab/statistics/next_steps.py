"""What to try next: from the numbers of a summary to commands, the ones that promise most first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np

from actlab.custom import CustomNetwork
from actlab.recording import Recording
from actlab.statistics.comparisons import paired_differences
from actlab.statistics.selection import Reported, by_seed, mostly_diverged, probe_samples, step_of
from actlab.statistics.sign_flips import ALPHA
from actlab.statistics.simultaneous import FEWEST_SEEDS
from actlab.wording import counted, listed

# Training was too short if the loss falls by FALLING in the last LATE of the epochs, and too long if it ends RISING
# above its lowest.
LATE = 0.2
FALLING = 0.02
RISING = 0.05
# A first layer that gets less than this share of the last one's gradient hardly learns.
VANISHED = 0.01
# Healthy networks of rectifiers have a tenth of their units dead, and learn as well; Amazon SageMaker Debugger's rule
# DeadRelu speaks from half of them on.
DEAD = 0.5
# Functions to try instead of flat ones.
NOWHERE_FLAT = ("leaky_relu", "silu")
MOST_SEEDS = 100
# The advised seeds tell a difference as large as the one seen in so many studies.
POWER = 0.8


def next_steps(
    recording: Recording, ranked: Sequence[Reported], rows: Sequence[Mapping[str, Any]], best_set: Sequence[str]
) -> list[dict[str, str]]:
    """Steps, each a `sentence` that says why and the `command` that takes it.

    None of them has been taken by the study already, and no two of them want opposite things. Commands name the study's
    file as it lies in the run directory, `study.toml`.

    Args:
        recording: at least one epoch; of less there is nothing to go by.
        ranked: the activations, best first.
        rows: what the summary says of each of them, in the same order.
        best_set: those that may be the best.
    """
    if recording.epochs < 1:
        return []
    steady = [entry for entry in ranked if not mostly_diverged(entry)]
    smaller = _smaller_rates(recording, ranked)
    found = [
        *smaller,
        *_longer_or_shorter(recording, steady),
        *_more_seeds(recording, steady, best_set),
        # Smaller rates are looked for already.
        *([] if smaller else _rates(recording, ranked)),
        *_gradients(recording, steady, rows),
        *_dead(recording, steady, rows),
    ]
    return [{"sentence": sentence, "command": f"actlab compare study.toml {options}"} for sentence, options in found]


Step = tuple[str, str]


def _smaller_rates(recording: Recording, ranked: Sequence[Reported]) -> list[Step]:
    """Where networks diverged: a rate below all that were tried."""
    names = [e.activation for e in ranked if any(member.diverged_epoch is not None for member in e.members)]
    if not names:
        return []
    tried = [*(recording.study.learning_rates or ()), *(entry.learning_rate for entry in ranked)]
    lowest = min([*tried, *(row["learning_rate"] for row in recording.facts.get("tuning") or [])])
    return [(f"Networks with {listed(names)} diverged: smaller steps.", f"--learning-rates {lowest / 10:g},{lowest:g}")]


def _longer_or_shorter(recording: Recording, ranked: Sequence[Reported]) -> list[Step]:
    """By the mean validation loss: who still learns at the end, and who has begun to forget.

    Nothing where the test data are the validation data, which must not choose, or where the run was stopped.
    """
    if recording.study.validation == "test" or recording.epochs < recording.study.epochs:
        return []
    still, past = [], {}
    start = int((1 - LATE) * recording.epochs)
    for entry in ranked:
        losses = recording.metrics["validation_loss"][:, list(entry.columns)]
        alive = np.isfinite(losses).all(axis=0)
        if len(losses) < 5 or not alive.any():
            continue
        curve = losses[:, alive].mean(axis=1)
        lowest = int(np.argmin(curve))
        if lowest == len(curve) - 1 and curve[-1] < (1 - FALLING) * curve[start]:
            still.append(entry.activation)
        # One that never fell has nothing to gain from fewer epochs.
        elif curve[-1] > (1 + RISING) * curve[lowest] and curve[lowest] < (1 - FALLING) * curve[0]:
            past[entry.activation] = lowest
    epochs = sorted(past.values())
    when = f"epoch {epochs[0]}" if len(set(epochs)) == 1 else f"epochs {epochs[0]} to {epochs[-1]}" if epochs else ""
    longer = f"--epochs {2 * recording.epochs}"
    if still and past:
        sentence = (
            f"The validation loss of {listed(still)} still falls at the end, that of {listed(past)} is lowest at "
            f"{when} and rises after that: no one number of epochs suits all. Train {listed(still)} longer."
        )
        return [(sentence, f"{longer} --activations {','.join(still)}")]
    if still:
        return [(f"The validation loss of {listed(still)} still falls at the end: train longer.", longer)]
    if past:
        sentence = f"The validation loss of {listed(past)} is lowest at {when} and rises after that: train less."
        return [(sentence, f"--epochs {epochs[-1]}")]
    return []


def _more_seeds(recording: Recording, ranked: Sequence[Reported], held: Sequence[str]) -> list[Step]:
    """Enough seeds to leave the second out of those that may be the best, if it is as far behind as it looks."""
    open_ones = [entry for entry in ranked if entry.activation in held]
    if len(open_ones) < 2:
        return []
    first, second = open_ones[:2]
    step = step_of(recording, "test_accuracy")
    accuracies = (by_seed(recording, entry, "test_accuracy") for entry in (first, second))
    differences, resolution = paired_differences(*accuracies)
    seeds = len(differences)
    # A difference of less than one test sample matters with no number of seeds.
    if seeds < 2 or differences.mean() <= max(resolution, step):
        return []
    deviation = max(float(differences.std(ddof=1)), step / np.sqrt(6))
    effect = float(differences.mean()) / deviation if deviation else np.inf
    wanted = seeds_wanted(effect, len(recording.study.activations) - 1)
    if not seeds < wanted <= MOST_SEEDS:
        return []
    sentence = (
        f"{first.activation} is {100 * differences.mean():.2g} points ahead of {second.activation}, which "
        f"{counted(seeds, 'seed')} cannot tell from none. If it is truly as far ahead, some {wanted} seeds show it in "
        f"{POWER:.0%} of such studies."
    )
    return [(sentence, f"--seeds {wanted}")]


def seeds_wanted(effect: float, rivals: int) -> int:
    """Seeds that tell a difference of `effect` standard deviations from none in POWER of the studies that have it.

    Told is it after the correction of the report: against the best of `rivals`, one-sided, and, since two functions are
    told apart at all, two-sided. The smallest n with t(α) + t(POWER) ≤ effect · √n, quantiles of Student's t by the
    first term of Fisher's expansion; Bonferroni's correction stands for that of the largest |t|.

    Source: Fisher 1925, Expansion of Student's integral in powers of n⁻¹, Metron 5, 109–112.

    >>> seeds_wanted(1.0, 1), seeds_wanted(1.0, 7)
    (10, 14)
    """
    quantile = NormalDist().inv_cdf
    normal = [quantile(1 - ALPHA / max(rivals, 2)), quantile(POWER)]
    for seeds in range(FEWEST_SEEDS, MOST_SEEDS + 1):
        wanted = sum(z + (z**3 + z) / (4 * (seeds - 1)) for z in normal)
        if wanted <= effect * math.sqrt(seeds):
            return seeds
    return MOST_SEEDS + 1


def _rates(recording: Recording, ranked: Sequence[Reported]) -> list[Step]:
    if len(recording.study.learning_rates or ()) > 1 or recording.facts.get("tuning"):
        return []
    rate = ranked[0].learning_rate
    sentence = f"All functions trained at the learning rate {rate:g}, which may suit some better: give each its own."
    return [(sentence, "--learning-rates auto")]


def _gradients(recording: Recording, ranked: Sequence[Reported], rows: Sequence[Mapping[str, Any]]) -> list[Step]:
    if recording.study.init != "stated" or isinstance(recording.study.network, CustomNetwork):
        return []
    steady = {entry.activation for entry in ranked}
    names = [
        row["name"]
        for row in rows
        if row["name"] in steady
        and 0 < (row["gradient_ratio"] or 0) < VANISHED
        # Without a critical point its weights would stay as they are.
        and recording.functions.get(row["name"], {}).get("facts", {"critical": True}).get("critical") is not None
    ]
    if not names:
        return []
    sentence = f"With {listed(names)} less than {VANISHED:.0%} of the last layer's gradient reaches the first one"
    return [(f"{sentence}: start from weights that carry it.", "--init critical")]


def _dead(recording: Recording, ranked: Sequence[Reported], rows: Sequence[Mapping[str, Any]]) -> list[Step]:
    steady = {entry.activation for entry in ranked}
    names = [row["name"] for row in rows if row["name"] in steady and (row["dead_share"] or 0) > DEAD]
    new = [name for name in NOWHERE_FLAT if name not in recording.study.activations]
    if not names or not new:
        return []
    sentence = (
        f"More than {DEAD:.0%} of the units of {listed(names)} are flat for all of the "
        f"{probe_samples(recording)} probe samples: try functions that are nowhere flat."
    )
    return [(sentence, f"--activations {','.join([*names, *new])}")]
