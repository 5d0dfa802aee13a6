"""What to try next: from the numbers of a summary to commands, the ones that promise most first."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np

from actlab.functions.variants import split_names
from actlab.recording import Recording
from actlab.statistics.comparisons import paired_differences
from actlab.statistics.remedies import Step, causes, faulty, rates, remedies
from actlab.statistics.selection import Reported, by_seed, mostly_diverged, step_of
from actlab.statistics.sign_flips import ALPHA
from actlab.statistics.simultaneous import FEWEST_SEEDS
from actlab.statistics.trained import words_of
from actlab.wording import counted, listed, quoted

# Training was too short if the loss falls by FALLING in the last LATE of the epochs, and too long if it ends RISING
# above its lowest.
LATE = 0.2
FALLING = 0.02
RISING = 0.05
MOST_SEEDS = 100
# The advised seeds tell a difference as large as the one seen in so many studies.
POWER = 0.8


def next_steps(
    recording: Recording,
    ranked: Sequence[Reported],
    best_set: Sequence[str],
    found: Sequence[Mapping[str, Any]] = (),
) -> list[dict[str, str]]:
    """Steps, each a `sentence` that says why and the `command` that takes it, empty where no setting helps.

    None of them has been taken by the study already, and no two of them want opposite things. What is wrong comes
    first, by the causes among the findings; how long to train is asked of the others. Commands name the study's file as
    it lies in the run directory, `study.toml`.

    Args:
        recording: at least one epoch; of less there is nothing to go by.
        ranked: the activations, best first.
        best_set: those that may be the best.
        found: the findings about them.
    """
    if recording.epochs < 1:
        return []
    steady = [entry for entry in ranked if not mostly_diverged(entry)]
    broken = faulty(found, ranked)
    sound = [entry for entry in steady if entry.activation not in broken]
    own = recording.study.own_loop
    # Of a loop of a user's own the findings have other evidence, and their own words for what helps.
    other_rates = [] if _inputs_wrong(found) else rates(recording, ranked, [] if own else found)
    steps = [
        *other_rates,
        *(_helps(found) if own else remedies(recording, ranked, found)),
        *_longer_or_shorter(recording, sound),
        *_more_seeds(recording, steady, best_set),
        # Other rates are looked for already, or would not help.
        *([] if other_rates or not sound else _rates(recording, ranked)),
    ]
    command = own_arguments if own else _command
    return [{"sentence": sentence, "command": command(options)} for sentence, options in steps]


def _helps(found: Sequence[Mapping[str, Any]]) -> list[Step]:
    """What the findings say would help, each once, with the activations that it is said of."""
    names: dict[str, list[str]] = {}
    for own in causes(found):
        if own.get("help"):
            names.setdefault(own["help"], []).append(own["activation"])
    return [(f"For {listed(activations)}: {said}", "") for said, activations in names.items()]


def _command(options: str) -> str:
    return f"actlab compare study.toml {options}" if options else ""


# What `actlab.torch.compare` has for an option of a command; nothing stands for the others.
_ARGUMENTS = {"--seeds": "seeds={}", "--learning-rates": "learning_rates={}", "--activations": "activations={}"}


def own_arguments(options: str) -> str:
    """Options of a command as arguments of a comparison in a loop of a user's own; empty where it has none of them.

    >>> own_arguments("--seeds 20"), own_arguments("--learning-rates auto"), own_arguments("--epochs 20")
    ('seeds=20', "learning_rates='auto'", '')
    >>> own_arguments("--learning-rates 0.1,1 --activations 'elu(alpha=0.5),relu'")
    "learning_rates=[0.1, 1.0], activations=['elu(alpha=0.5)', 'relu']"
    """
    given = shlex.split(options)
    pairs = list(zip(given[::2], given[1::2], strict=True))
    if any(name not in _ARGUMENTS for name, _ in pairs):
        return ""
    return ", ".join(_ARGUMENTS[name].format(_argument(name, value)) for name, value in pairs)


def _argument(name: str, value: str) -> str:
    if name == "--activations":
        return repr(split_names(value))
    if name == "--seeds":
        return value
    return repr(value) if value == "auto" else repr([float(rate) for rate in value.split(",")])


def _inputs_wrong(found: Sequence[Mapping[str, Any]]) -> bool:
    return any(finding["code"] == "inputs_off_scale" for finding in found)


def _longer_or_shorter(recording: Recording, ranked: Sequence[Reported]) -> list[Step]:
    """By the mean validation loss: who still learns at the end, and who has begun to forget.

    Nothing where the test data are the validation data, which must not choose, or where the run was stopped.
    """
    if recording.study.validation == "test" or recording.epochs < recording.study.epochs:
        return []
    if recording.study.class_weights is not None:
        return []  # The loss is recorded without the weights that training gives it.
    still, past = [], {}
    start = int((1 - LATE) * recording.epochs)
    for entry in ranked:
        losses = recording.metrics["validation_loss"][:, list(entry.columns)]
        # A loop of a user's own may not tell of the untrained network.
        untold = int(np.isnan(losses[0]).all())
        losses = losses[untold:]
        alive = np.isfinite(losses).all(axis=0)
        if len(losses) < 5 or not alive.any():
            continue
        curve = losses[:, alive].mean(axis=1)
        lowest = int(np.argmin(curve))
        if lowest == len(curve) - 1 and curve[-1] < (1 - FALLING) * curve[start - untold]:
            still.append(entry.activation)
        # One that never fell has nothing to gain from fewer epochs.
        elif curve[-1] > (1 + RISING) * curve[lowest] and curve[lowest] < (1 - FALLING) * curve[0]:
            past[entry.activation] = lowest + untold
    epochs = sorted(past.values())
    when = f"epoch {epochs[0]}" if len(set(epochs)) == 1 else f"epochs {epochs[0]} to {epochs[-1]}" if epochs else ""
    longer = f"--epochs {2 * recording.epochs}"
    if still and past:
        sentence = (
            f"The validation loss of {listed(still)} still falls at the end, that of {listed(past)} is lowest at "
            f"{when} and rises after that: no one number of epochs suits all. Train {listed(still)} longer."
        )
        return [(sentence, f"{longer} --activations {quoted(still)}")]
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
    lead = recording.lead
    step = step_of(recording, lead.test)
    values = (lead.gain(by_seed(recording, entry, lead.test)) for entry in (first, second))
    differences, resolution = paired_differences(*values)
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
        f"{first.activation} is {lead.distance(differences.mean())} ahead of {second.activation}, which "
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
    rate = words_of(recording.study).at_rate(ranked[0].learning_rate)
    sentence = f"All functions trained at {rate}, which may suit some better: give each its own."
    return [(sentence, "--learning-rates auto")]
