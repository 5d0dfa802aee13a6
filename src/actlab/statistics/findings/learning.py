"""What is learnt: nothing, the regulariser alone, or something that is lost again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actlab.objectives import BALANCED, usual_lead
from actlab.recording import Recording
from actlab.statistics.findings.course import best_losses, constant_loss, loss_of
from actlab.statistics.findings.finding import Finding, finding, share
from actlab.statistics.gradients import typical_norm
from actlab.statistics.intervals import Floats, mean, median
from actlab.statistics.selection import Reported, last
from actlab.wording import counted

# A cross-entropy that stays above this share of what the class frequencies alone give is no learning: batch noise and
# rounding move it by less than a fiftieth.
UNLEARNT = 0.98
# The way from the share of the largest class to everything right: by chance, an untrained network gets less than a
# twentieth of it.
GUESSED = 0.05


def only_regulariser(recording: Recording, entry: Reported, reported: Sequence[Reported]) -> Finding | None:
    """Whether nothing is learnt, in the loss and in accuracy, and whether a penalty falls meanwhile.

    Found where more than half of the members that did not diverge have a loss that stays, at every epoch, at what the
    class frequencies alone give, and an accuracy that ends at the share of the largest class. A loss alone is not
    enough: confident mistakes on a few samples can outweigh all that was learnt about the others. Of numbers as targets
    it is the loss alone, beside that of always giving the same answer.
    """
    known = constant_loss(recording)
    final = last(recording.metrics["train_loss"], entry)
    alive = np.isfinite(final)
    if not alive.any() or known is None:
        return None
    stuck = ((best_losses(recording, entry) >= UNLEARNT * known) & _names_the_majority(recording, entry))[alive]
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
    loss, held = loss_of(recording)
    ends = (
        ""
        if recording.objective.baseline is None
        else (", and the training accuracy ends at the share of the largest class")
    )
    what = "learns only its regulariser" if falls else "learns nothing"
    fall = f", while the penalty falls from {penalty[0]:.3g} to {penalty[1]:.3g}" if penalty and falls else ""
    sentence = (
        f"{entry.activation} {what}: with {int(stuck.sum())} of {counted(len(stuck), 'seed')} the training "
        f"{loss} stays above {100 * UNLEARNT:.0f} % of what {held} ({known:.4g}){ends}: the mean {loss} is "
        f"{start:.4g} untrained and {end:.4g} after epoch {recording.epochs}{fall}.{words}"
    )
    code = "only_regulariser" if falls else "learns_nothing"
    layer = recording.weight_layers[0] if gradient else None
    return finding(code, "warning", sentence, evidence, activation=entry.activation, layer=layer)


def comes_apart(recording: Recording, entry: Reported) -> Finding | None:
    """Whether a loss that had fallen ends above that of the best constant answer, or as no number.

    Found where that is so of more than half of the members.
    """
    known = constant_loss(recording)
    if known is None:
        return None
    columns = list(entry.columns)
    losses = recording.metrics["train_loss"][:, columns]
    best, final = best_losses(recording, entry), losses[-1]
    apart = (best < UNLEARNT * known) & ~(final < known)
    if apart.mean() <= 0.5:
        return None
    below = losses < known
    # After the last epoch at which its loss was below, a member is apart.
    first = len(below) - int(np.argmax(below[::-1, apart], axis=0).max())
    lost = int((apart & ~np.isfinite(final)).sum())
    loss, held = loss_of(recording)
    numberless = f", or is no number any more (with {lost} of them)" if lost else ""
    sentence = (
        f"{entry.activation} comes apart: with {int(apart.sum())} of {counted(len(apart), 'seed')} the training "
        f"{loss} falls at first, to {mean(best[apart]):.3g} (mean of each one's best), and ends above the "
        f"{known:.4g} that {held}{numberless}; "
        f"the first is apart after epoch {first}."
    )
    evidence = {"members": len(apart), "apart": int(apart.sum()), "not_finite": lost, "best": mean(best[apart])}
    evidence |= {"class_frequencies": known, "first_epoch": first}
    return finding("comes_apart", "warning", sentence, evidence, activation=entry.activation)


def _names_the_majority(recording: Recording, entry: Reported) -> NDArray[np.bool_]:
    """Whether each member ends with hardly more training samples right than always naming the largest class gets.

    True where there are no classes.
    """
    if recording.objective.baseline is None:
        return np.ones(len(entry.columns), bool)
    counts = np.array(recording.facts["class_counts"], dtype=float)
    share = counts.max() / counts.sum()
    named = last(recording.metrics["train_accuracy"], entry) < share + GUESSED * (1 - share)
    # Of classes that are not alike frequent, one that is found costs others: that is no guessing.
    balanced = recording.metrics.get("train_balanced_accuracy")
    if balanced is not None and usual_lead(recording.facts["metrics"], counts) == BALANCED.name:
        chance = 1 / np.count_nonzero(counts)
        named &= last(balanced, entry) < chance + GUESSED * (1 - chance)
    return named


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
        f" The gradient at {layer} is {own:.2g}, {share(own / others)} of the {others:.2g} that is the median of "
        "the other activations."
    )
    return {"layer": layer, "norm": own, "others": others}, words
