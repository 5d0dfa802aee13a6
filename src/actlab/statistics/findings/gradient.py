"""How much of the gradient arrives: at the first place of the function, at the first convolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from actlab.recording import Recording
from actlab.statistics.findings.course import Course
from actlab.statistics.findings.finding import Finding, finding, share, when
from actlab.statistics.gradients import GradientFlow, gradient_flow, gradient_sizes, typical_norm
from actlab.statistics.selection import Reported, mostly_diverged
from actlab.wording import listed

# A layer that gets less than this share of the last one's gradient learns, at one learning rate, a hundredth as fast.
VANISHED = 0.01
REMEDY = "Start from weights that carry the gradient (--init critical), or take a shallower network or residual blocks."
QUANTILES = {"p10": 0.1, "p50": 0.5, "p90": 0.9}


def vanishing_gradient(recording: Recording, entry: Reported, went: Course | None) -> Finding | None:
    """Whether the first place of the function gets less than 1 % of the gradient that the last one gets.

    A warning where the network learns badly, or is not known to learn; else it does no harm, and is for the record.
    """
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
    told = [f"{share(shares[epoch])} {when(epoch)}" for epoch in epochs if np.isfinite(shares[epoch])]
    sentence = (
        f"{entry.activation}: the gradient vanishes towards the input: {first} gets {listed(told)} of the norm that "
        f"{final} gets."
    )
    # A gradient of zero has no factors.
    if slope * weights > 0:
        sentence += (
            f" From each place to the one before, the slope of the function leaves a factor of {slope:.2g} and the "
            f"weights make {weights:.2g} of it ({when(worst)}, geometric means)."
        )
    evidence = {"share": {str(epoch): share for epoch, share in shares.items()}} | {
        "passages": [{"epoch": epoch, **asdict(step)} for epoch, steps in tables.items() for step in steps]
    }
    # Of a loop of a user's own nobody knows how well it learns: it is for the record.
    harmful = not recording.study.own_loop if went is None else went.poor
    return finding(
        "vanishing_gradient",
        "warning" if harmful else "info",
        sentence,
        evidence,
        activation=entry.activation,
        layer=first,
        remedy=REMEDY if harmful else None,
    )


def _typical(factors: Sequence[float]) -> float:
    """The factor that, taken at every step, gives the same product."""
    with np.errstate(divide="ignore"):
        return float(np.exp(np.mean(np.log(factors))))


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
    return finding("first_convolution", "info", sentence, {"rows": rows}, layer=layer)


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
