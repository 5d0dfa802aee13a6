"""Findings: what goes on inside the networks, in sentences that state what was measured.

Each finding is a pure function of a recording and the activations that enter its report, and returns
`{"code", "severity", "activation", "layer", "sentence", "evidence"}` or nothing: no finding where data are missing, or
where no epoch was trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actlab.recording import Recording
from actlab.statistics.gradients import GradientFlow, gradient_flow, gradient_sizes, typical_norm
from actlab.statistics.intervals import Floats, mean, median
from actlab.statistics.linear_folding import collapse
from actlab.statistics.milestones import races
from actlab.statistics.selection import Reported, last, mostly_diverged
from actlab.statistics.simultaneous import FEWEST_SEEDS
from actlab.wording import counted, listed, number, percent

Finding = dict[str, Any]

# Probabilities that differ by less are the same predictions: float32 rounding through some layers is below 1e-5.
SAME_PREDICTION = 1e-4
# A layer that gets less than this share of the last one's gradient learns, at one learning rate, a hundredth as fast.
VANISHED = 0.01
# A cross-entropy that stays above this share of what the class frequencies alone give is no learning: batch noise and
# rounding move it by less than a fiftieth.
UNLEARNT = 0.98
# The way from the share of the largest class to everything right: by chance, an untrained network gets less than a
# twentieth of it.
GUESSED = 0.05
# All pairs of up to so many activations are compared; of more, only the rectifiers, as several sources do.
FEW = 5
RECTIFIERS = ("relu", "leaky_relu", "elu")
PAIRS_TOLD = 3
QUANTILES = {"p10": 0.1, "p50": 0.5, "p90": 0.9}


def findings(
    recording: Recording, reported: Sequence[Reported], comparisons: Sequence[Mapping[str, Any]]
) -> list[Finding]:
    """All findings of a recording, warnings first.

    Args:
        recording: complete or stopped.
        reported: the activations, best first.
        comparisons: all pairs, as in the summary.
    """
    if recording.epochs < 1:
        return []
    reported = [entry for entry in reported if entry.members]
    found = [only_regulariser(recording, entry, reported) for entry in reported]
    found += [comes_apart(recording, entry) for entry in reported]
    found += [vanishing_gradient(recording, entry) for entry in reported]
    found += [linear_depth(recording, entry) for entry in reported]
    found += races(recording, reported)
    found += [
        first_convolution(recording, reported),
        within_noise(comparisons, [entry.activation for entry in reported]),
    ]
    made = [finding for finding in found if finding is not None]
    return sorted(made, key=lambda finding: finding["severity"] != "warning")


def _finding(
    code: str, severity: str, sentence: str, evidence: Mapping[str, Any], *, activation: str | None = None,
    layer: str | None = None,
) -> Finding:  # fmt: skip
    return {
        "code": code,
        "severity": severity,
        "activation": activation,
        "layer": layer,
        "sentence": sentence,
        "evidence": dict(evidence),
    }


def linear_depth(recording: Recording, entry: Reported) -> Finding | None:
    """Whether a network without a function is one matrix: that it predicts the same once multiplied out."""
    if entry.activation != "linear" or (found := collapse(recording, entry)) is None:
        return None
    same = found.probability < SAME_PREDICTION
    inputs, outputs = found.shape
    so = "depth adds nothing to what it can say" if same else f"more than the {SAME_PREDICTION:g} of rounding"
    sentence = (
        f"linear: its {found.layers} layers, multiplied into one {inputs} × {outputs} matrix, "
        f"{'predict the same' if same else 'do not predict the same'}: over {counted(found.samples, 'sample')} and "
        f"{counted(found.members, 'seed')} no probability differs by more than {found.probability:.1g} "
        f"(logits by {found.logit:.1g} of the largest); {so}."
    )
    severity = "info" if same else "warning"
    return _finding("linear_depth", severity, sentence, asdict(found) | {"same": same}, activation="linear")


def vanishing_gradient(recording: Recording, entry: Reported) -> Finding | None:
    """Whether the first place of the function gets less than 1 % of the gradient that the last one gets."""
    # The survivors of an activation that mostly diverged are not typical; untrained, all members are there.
    epochs = (0,) if mostly_diverged(entry) else (0, recording.epochs)
    tables = {epoch: gradient_flow(recording, entry, epoch) for epoch in epochs}
    shares = {epoch: table[-1].share for epoch, table in tables.items() if len(table) > 1}
    if not any(share < VANISHED for share in shares.values()):
        return None
    worst = min(shares, key=lambda epoch: shares[epoch] if np.isfinite(shares[epoch]) else np.inf)
    table = tables[worst]
    first, final = table[-1].layer, table[0].layer
    slope, weights = _typical([step.slope for step in table[:-1]]), _typical([step.weights for step in table[:-1]])
    told = [f"{_percent(shares[epoch])} {_when(epoch)}" for epoch in epochs if np.isfinite(shares[epoch])]
    sentence = (
        f"{entry.activation}: the gradient vanishes towards the input: {first} gets {listed(told)} of the norm that "
        f"{final} gets."
    )
    # A gradient of zero has no factors.
    if slope * weights > 0:
        sentence += (
            f" From each place to the one before, the slope of the function leaves a factor of {slope:.2g} and the "
            f"weights make {weights:.2g} of it ({_when(worst)}, geometric means)."
        )
    evidence = {"share": {str(epoch): share for epoch, share in shares.items()}} | {
        "passages": [{"epoch": epoch, **asdict(step)} for epoch, steps in tables.items() for step in steps]
    }
    return _finding("vanishing_gradient", "warning", sentence, evidence, activation=entry.activation, layer=first)


def _typical(factors: Sequence[float]) -> float:
    """The factor that, taken at every step, gives the same product."""
    with np.errstate(divide="ignore"):
        return float(np.exp(np.mean(np.log(factors))))


def _when(epoch: int) -> str:
    return "untrained" if epoch == 0 else f"after epoch {epoch}"


def _percent(share: float) -> str:
    return percent(share, ".2g" if share < 0.995 else ",.0f", minus="-")


def only_regulariser(recording: Recording, entry: Reported, reported: Sequence[Reported]) -> Finding | None:
    """Whether nothing is learnt, in cross-entropy and in accuracy, and whether a penalty falls meanwhile.

    Found where more than half of the members that did not diverge have a cross-entropy that stays, at every epoch, at
    what the class frequencies alone give, and an accuracy that ends at the share of the largest class. A loss alone is
    not enough: confident mistakes on a few samples can outweigh all that was learnt about the others.
    """
    known = _of_class_frequencies(recording)
    final = last(recording.metrics["train_loss"], entry)
    alive = np.isfinite(final)
    if not alive.any() or known is None:
        return None
    stuck = ((_best_losses(recording, entry) >= UNLEARNT * known) & _names_the_majority(recording, entry))[alive]
    if stuck.mean() <= 0.5:
        return None
    columns = np.array(entry.columns)[alive]
    start, end = mean(recording.metrics["train_loss"][0, columns]), mean(final)
    evidence: dict[str, Any] = {
        "cross_entropy": {"first": start, "last": end, "class_frequencies": known},
        "members": int(alive.sum()),
        "stuck": int(stuck.sum()),
    }
    penalty = _ends(recording.probes.get("penalty"), columns)
    falls = penalty is not None and penalty[1] < penalty[0]
    if penalty is not None:
        evidence["penalty"] = {"first": penalty[0], "last": penalty[1]}
    gradient, words = _beside_others(recording, entry, reported)
    evidence |= {"gradient": gradient} if gradient else {}
    what = "learns only its regulariser" if falls else "learns nothing"
    fall = f", while the penalty falls from {penalty[0]:.3g} to {penalty[1]:.3g}" if penalty and falls else ""
    sentence = (
        f"{entry.activation} {what}: with {int(stuck.sum())} of {counted(len(stuck), 'seed')} the training "
        f"cross-entropy stays above {100 * UNLEARNT:.0f} % of what the frequencies of the classes alone give "
        f"({known:.4g}), and the training accuracy ends at the share of the largest class: the mean cross-entropy is "
        f"{start:.4g} untrained and {end:.4g} after epoch {recording.epochs}{fall}.{words}"
    )
    code = "only_regulariser" if falls else "learns_nothing"
    layer = recording.weight_layers[0] if gradient else None
    return _finding(code, "warning", sentence, evidence, activation=entry.activation, layer=layer)


def comes_apart(recording: Recording, entry: Reported) -> Finding | None:
    """Whether a cross-entropy that had fallen ends above what the class frequencies alone give, or as no number.

    Found where that is so of more than half of the members.
    """
    known = _of_class_frequencies(recording)
    if known is None:
        return None
    columns = list(entry.columns)
    losses = recording.metrics["train_loss"][:, columns]
    best, final = _best_losses(recording, entry), losses[-1]
    apart = (best < UNLEARNT * known) & ~(final < known)
    if apart.mean() <= 0.5:
        return None
    below = losses < known
    # After the last epoch at which its loss was below, a member is apart.
    first = len(below) - int(np.argmax(below[::-1, apart], axis=0).max())
    lost = int((apart & ~np.isfinite(final)).sum())
    numberless = f", or is no number any more (with {lost} of them)" if lost else ""
    sentence = (
        f"{entry.activation} comes apart: with {int(apart.sum())} of {counted(len(apart), 'seed')} the training "
        f"cross-entropy falls at first, to {mean(best[apart]):.3g} (mean of each one's best), and ends above the "
        f"{known:.4g} that the frequencies of the classes alone give{numberless}; "
        f"the first is apart after epoch {first}."
    )
    evidence = {"members": len(apart), "apart": int(apart.sum()), "not_finite": lost, "best": mean(best[apart])}
    evidence |= {"class_frequencies": known, "first_epoch": first}
    return _finding("comes_apart", "warning", sentence, evidence, activation=entry.activation)


def _of_class_frequencies(recording: Recording) -> float | None:
    """The loss of the best answer that does not look at the input; None where the classes' counts are not recorded."""
    counts = np.array(recording.facts.get("class_counts", ()), dtype=float)
    return recording.objective.baseline(counts / counts.sum()) if counts.sum() else None


def _best_losses(recording: Recording, entry: Reported) -> Floats:
    """Each member's lowest training loss over the epochs; infinite where it never had one."""
    losses = recording.metrics["train_loss"][:, list(entry.columns)]
    return np.where(np.isfinite(losses), losses, np.inf).min(axis=0)


def _names_the_majority(recording: Recording, entry: Reported) -> NDArray[np.bool_]:
    """Whether each member ends with hardly more training samples right than always naming the largest class gets."""
    counts = np.array(recording.facts["class_counts"], dtype=float)
    share = counts.max() / counts.sum()
    return last(recording.metrics["train_accuracy"], entry) < share + GUESSED * (1 - share)


def _ends(curves: Floats | None, columns: Any) -> tuple[float, float] | None:
    """Means over some members untrained and at the end; None without curves (epochs, members)."""
    return None if curves is None else (mean(curves[0, columns]), mean(curves[-1, columns]))


def _beside_others(
    recording: Recording, entry: Reported, reported: Sequence[Reported]
) -> tuple[dict[str, Any] | None, str]:
    """The gradient at the first weights beside that of the other activations, as evidence and in words."""
    if not recording.weight_layers:
        return None, ""
    own = typical_norm(recording, entry, 0)
    others = median([typical_norm(recording, other, 0) for other in reported if other is not entry])
    if not np.isfinite(own) or not others > 0:
        return None, ""
    layer = recording.weight_layers[0]
    words = (
        f" The gradient at {layer} is {own:.2g}, {_percent(own / others)} of the {others:.2g} that is the median of "
        "the other activations."
    )
    return {"layer": layer, "norm": own, "others": others}, words


def first_convolution(recording: Recording, reported: Sequence[Reported]) -> Finding | None:
    """Norm and distribution of the gradient at the first convolution, activation by activation."""
    layer = next(iter(recording.weight_layers), "")
    rows = []
    for entry in reported:
        norm, sizes = typical_norm(recording, entry, 0), gradient_sizes(recording, entry, 0, tuple(QUANTILES.values()))
        if np.isfinite(norm):
            rows.append({"activation": entry.activation, "norm": norm, **dict(zip(QUANTILES, sizes, strict=True))})
    if not layer.split("/")[-1].startswith("conv") or len(rows) < 2:
        return None
    rows.sort(key=lambda row: -row["norm"])
    told = ", ".join(f"{row['activation']} {row['norm']:.2g}" for row in rows)
    ranges = [f"from {row['p10']:.1g} to {row['p90']:.1g} with {row['activation']}" for row in (rows[0], rows[-1])]
    sentence = (
        f"Gradient at {layer}, the first convolution (norm, median over epochs and seeds): {told}. Four in five of its "
        f"entries have a size {listed(ranges)}."
    )
    return _finding("first_convolution", "info", sentence, {"rows": rows}, layer=layer)


def within_noise(comparisons: Sequence[Mapping[str, Any]], ranked: Sequence[str]) -> Finding | None:
    """Which pairs of activations are told apart in test accuracy, all asked at once, and which are not.

    Of all pairs of a few activations, of those with the baseline where there is one, else of the rectifiers. Where so
    few seeds leave the test no chance to tell any pair apart, there is nothing to say.
    """
    compared = [row for row in comparisons if row["metric"] == "test_accuracy" and row["ci95_simultaneous"]]
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
    seeds = counted(max(row["pairs"] for row in rows), "seed")
    parts = [f"not told apart by {seeds}: {_pairs(alike)}"] if alike else []
    parts += [f"told apart: {_pairs(apart)}"] if apart else []
    between = "" if whole else f" between {listed(names)}"
    at_once = f"all {counted(len(compared), 'pair')} asked at once" if len(compared) > 1 else "by sign flips"
    sentence = f"Paired differences in test accuracy{between}, in points ({at_once}), {'; '.join(parts)}."
    return _finding("within_noise", "info", sentence, {"pairs": rows})


def _pairs(rows: Sequence[Mapping[str, Any]]) -> str:
    """The first pairs with their differences in words, and how many more there are."""
    told = [f"{row['a']} − {row['b']} {number(100 * row['difference'], '+.2f')}" for row in rows[:PAIRS_TOLD]]
    more = len(rows) - len(told)
    return listed(told) if not more else f"{', '.join(told)} and {counted(more, 'pair')} more"


def gradient_table(
    recording: Recording, reported: Sequence[Reported]
) -> dict[str, dict[int, tuple[GradientFlow, ...]]]:
    """By activation and epoch, untrained and last, how the gradient passes: see `gradient_flow`.

    Empty with fewer than two places of functions, or without the gradients.
    """
    epochs = sorted({0, recording.epochs})
    found = {
        entry.activation: {epoch: gradient_flow(recording, entry, epoch) for epoch in epochs} for entry in reported
    }
    return {name: tables for name, tables in found.items() if all(len(table) > 1 for table in tables.values())}
