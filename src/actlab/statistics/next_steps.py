"""What to try next: from the numbers of a summary to commands, the ones that promise most first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from actlab.recording import Recording
from actlab.statistics.comparisons import SIGNIFICANT, pairs_needed
from actlab.statistics.selection import Entry
from actlab.statistics.sentences import counted, listed

# The last share of the epochs, in which a loss that still falls by so much says that training was too short; and how
# far it may rise above its lowest before it says that training was too long.
LATE = 0.2
FALLING = 0.02
RISING = 0.05
# A first layer that gets less than this share of the last one's gradient hardly learns.
VANISHED = 0.01
DEAD = 0.1
MOST_SEEDS = 100


def next_steps(
    recording: Recording,
    ranked: Sequence[Entry],
    rows: Sequence[Mapping[str, Any]],
    comparisons: Sequence[Mapping[str, Any]],
) -> list[dict[str, str]]:
    """Steps, each a `sentence` that says why and the `command` that takes it.

    Commands name the study's file as it lies in the run directory, `study.toml`.

    Args:
        recording: at least one epoch; of less there is nothing to go by.
        ranked: the activations, best first.
        rows: what the summary says of each of them, in the same order.
        comparisons: the summary's.
    """
    if recording.epochs < 1:
        return []
    found = [
        *_diverged(recording, ranked),
        *_longer_or_shorter(recording, ranked),
        *_more_seeds(recording, ranked, comparisons),
        *_rates(recording, ranked),
        *_gradients(recording, rows),
        *_dead(rows),
    ]
    return [{"sentence": sentence, "command": f"actlab compare study.toml {options}"} for sentence, options in found]


Step = tuple[str, str]


def _diverged(recording: Recording, ranked: Sequence[Entry]) -> list[Step]:
    names = [e.activation for e in ranked if any(member.diverged_epoch is not None for member in e.members)]
    if not names:
        return []
    rate = min(entry.learning_rate for entry in ranked)
    return [(f"Networks with {listed(names)} diverged: smaller steps.", f"--learning-rates {rate / 10:g},{rate:g}")]


def _longer_or_shorter(recording: Recording, ranked: Sequence[Entry]) -> list[Step]:
    """By the mean validation loss: who still learns at the end, and who has begun to forget."""
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
    found: list[Step] = []
    if still:
        sentence = f"The validation loss of {listed(still)} still falls at the end: train longer."
        found.append((sentence, f"--epochs {2 * recording.epochs}"))
    if past:
        epochs = sorted(past.values())
        when = f"epoch {epochs[0]}" if epochs[0] == epochs[-1] else f"epochs {epochs[0]} to {epochs[-1]}"
        sentence = f"The validation loss of {listed(past)} is lowest at {when} and rises after that: train less."
        found.append((sentence, f"--epochs {max(epochs)}"))
    return found


def _more_seeds(recording: Recording, ranked: Sequence[Entry], comparisons: Sequence[Mapping[str, Any]]) -> list[Step]:
    """Enough seeds to tell the first two apart, if there is a difference as large as it looks."""
    if len(ranked) < 2:
        return []
    first, second = ranked[0].activation, ranked[1].activation
    row = next((c for c in comparisons if c["metric"] == "test_accuracy" and {c["a"], c["b"]} == {first, second}), None)
    if row is None or not row["difference"] or (row["p_holm"] is not None and row["p_holm"] < SIGNIFICANT):
        return []
    seeds, tests = len(recording.study.seeds), sum(c["metric"] == "test_accuracy" for c in comparisons)
    # The interval of a mean difference shrinks with the root of the number of seeds.
    low, high = row["ci95"] or (None, None)
    wanted = pairs_needed(tests)
    if low is not None and high is not None:
        wanted = max(wanted, int(np.ceil(seeds * ((high - low) / (2 * abs(row["difference"]))) ** 2)))
    difference = f"{first} and {second} differ by {100 * abs(row['difference']):.2g} points"
    if wanted > MOST_SEEDS:
        return []
    wanted = max(wanted, seeds + 1)
    sentence = f"{difference}, which {counted(seeds, 'seed')} cannot tell from none: some {wanted} might."
    return [(sentence, f"--seeds {wanted}")]


def _rates(recording: Recording, ranked: Sequence[Entry]) -> list[Step]:
    if len(recording.study.learning_rates or ()) > 1 or recording.facts.get("tuning"):
        return []
    rate = ranked[0].learning_rate
    sentence = f"All functions trained at the learning rate {rate:g}, which may suit some better: give each its own."
    return [(sentence, "--learning-rates auto")]


def _gradients(recording: Recording, rows: Sequence[Mapping[str, Any]]) -> list[Step]:
    names = [row["name"] for row in rows if 0 < (row["gradient_ratio"] or 0) < VANISHED]
    if not names or recording.study.init != "stated":
        return []
    sentence = f"With {listed(names)} less than {VANISHED:.0%} of the last layer's gradient reaches the first one"
    return [(f"{sentence}: start from weights that carry it.", "--init critical")]


def _dead(rows: Sequence[Mapping[str, Any]]) -> list[Step]:
    names = [row["name"] for row in rows if (row["dead_share"] or 0) > DEAD]
    if not names:
        return []
    sentence = f"More than {DEAD:.0%} of the units of {listed(names)} say nothing: try functions that are nowhere flat."
    return [(sentence, f"--activations {','.join([*names, 'leaky_relu', 'silu'])}")]
