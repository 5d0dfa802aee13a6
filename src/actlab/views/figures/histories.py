"""Still figures of a whole training and of its outcome; all activations in one figure, for paper."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from actlab.errors import InvalidRecording
from actlab.objectives import lead_among
from actlab.recording import Recording
from actlab.statistics.selection import Reported
from actlab.statistics.time_to_target import milestone_epochs
from actlab.views.figures import confusion, verdicts
from actlab.views.figures.legends import below, wrapped
from actlab.views.figures.snapshots import INK, STYLE
from actlab.views.palette import Style, Styles
from actlab.views.report.charts import quartiles

# Curves of so few epochs leave out the untrained network, whose accuracy by chance would press all others together.
FEW_EPOCHS = 12
# Inches without the legend, and points of the titles.
SIZE = (9.0, 3.0)
TITLE = 11.0
# What is larger is of a network that diverges, and no axis holds it.
LARGEST = 1e100
STROKES = {"solid": "-", "dash": "--", "dot": ":", "dashdot": "-."}


def curves(figure: Figure, recording: Recording, reported: Sequence[Reported], styles: Styles) -> None:
    """What is followed, on validation data, and training loss: medians over seeds, bands the middle half."""
    first = 1 if 1 < recording.epochs <= FEW_EPOCHS else 0
    panels = figure.subplots(1, 2)
    lead, loss = recording.followed, lead_among(recording.facts["metrics"], "loss")
    _curve(panels[0], f"validation {lead.title}", recording.metrics[lead.validation], reported, styles, first)
    _curve(panels[1], f"training loss ({loss.title})", recording.metrics["train_loss"], reported, styles, first)
    shown = [own.get_ydata() for own in panels[1].get_lines()]
    if any(np.any(np.asarray(values) > 0) for values in shown):  # Not where all have diverged.
        panels[1].set_yscale("log")


def _curve(
    panel: Axes, title: str, values: np.ndarray, reported: Sequence[Reported], styles: Styles, first: int
) -> None:
    for entry in reported:
        own = values[first:, list(entry.columns)]
        low, middle, high = quartiles(np.where(np.abs(own) < LARGEST, own, np.nan))
        epochs = np.arange(first, first + len(middle))
        style = line(styles[entry.activation])
        panel.fill_between(epochs, low, high, color=style["color"], alpha=0.15, linewidth=0)
        panel.plot(epochs, middle, **style)
    panel.set(xlabel="epoch", title=title)
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))


def gradients(figure: Figure, recording: Recording, reported: Sequence[Reported], styles: Styles) -> None:
    """Gradient norm layer by layer after the last epoch, and how the first layer's is distributed."""
    norms, counts = (recording.probes[f"weight_gradient_{what}"] for what in ("norm", "histogram"))
    edges = np.array(recording.facts["gradient_edges"])
    left, right = figure.subplots(1, 2)
    for entry in reported:
        style = line(styles[entry.activation])
        middle = quartiles(norms[-1, list(entry.columns)].T)[1]
        left.plot(range(len(middle)), middle, marker="o", markersize=3, **style)
        own = counts[-1, list(entry.columns), 0].sum(axis=0).astype(float)
        right.stairs(own / max(own.sum(), 1), np.log10(np.maximum(edges, edges[1] / 10**0.25)), **style)
    left.set_yscale("log")
    left.set_xticks(range(len(recording.weight_layers)), recording.weight_layers, rotation=30)
    left.set(title=f"norm of the weight gradient, epoch {recording.epochs}")
    right.set(
        title=f"|gradient| of {recording.weight_layers[0]}: share of its weights",
        xlabel="log₁₀ |∂L/∂w|, all smaller ones and zeros leftmost",
    )


def milestones(figure: Figure, recording: Recording, reported: Sequence[Reported], styles: Styles) -> None:
    """For each milestone the share of seeds that are there, epoch by epoch."""
    held = recording.study.milestones
    if not held:
        raise InvalidRecording(f"{recording.directory} has no milestones to draw: its study names none.")
    for panel, milestone in zip(figure.subplots(1, len(held), squeeze=False)[0], held, strict=True):
        for entry in reported:
            epochs = np.sort(milestone_epochs(recording, entry, milestone))
            shares = (epochs[None] <= np.arange(recording.epochs + 1)[:, None]).mean(axis=1)
            panel.step(np.arange(len(shares)), 100 * shares, where="post", **line(styles[entry.activation]))
        panel.set(xlabel="epoch", ylabel="% of seeds", ylim=(0, 101))
        room = 0.8 * figure.get_figwidth() / len(held)
        panel.set_title(wrapped(milestone.name, room, TITLE), fontsize=TITLE, parse_math=False)


Drawing = Callable[[Figure, Recording, Sequence[Reported], Styles], None]
HISTORIES: Mapping[str, Drawing] = {
    "curves": curves,
    "gradients": gradients,
    "milestones": milestones,
    "differences": verdicts.differences,
    "ranks": verdicts.ranks,
    "power": verdicts.power_curves,
    "confusion": confusion.confusion,
}
# These name each activation in the picture.
WITHOUT_LEGEND = ("differences", "ranks", "confusion")


def line(style: Style) -> dict[str, Any]:
    """How Matplotlib draws the lines of an activation: beyond twelve, colours come again with other strokes.

    >>> line(Style(slot=0, dash="dot"))
    {'color': '#0172d2', 'linestyle': ':'}
    """
    return {"color": style.printed, "linestyle": STROKES[style.dash]}


def height_of(kind: str, activations: int) -> float:
    """Inches that a figure of so many activations takes without its legend."""
    if kind in ("differences", "ranks"):
        return verdicts.REST + verdicts.ROW * activations
    return confusion.ROW * -(-activations // confusion.COLUMNS) if kind == "confusion" else SIZE[1]


def draw(
    kind: str, figure: Figure, recording: Recording, reported: Sequence[Reported], styles: Styles, height: float | None
) -> None:
    """Draw one of HISTORIES onto an empty figure, and below it which line is whose.

    `height`: of the figure without the legend, in inches; None where the figure keeps its size.
    """
    if recording.epochs < 0:
        raise InvalidRecording(f"{recording.directory} was stopped before its first epoch: there is nothing to draw.")
    with mpl.rc_context(STYLE):
        HISTORIES[kind](figure, recording, reported, styles)
        if kind in WITHOUT_LEGEND:
            return
        names = [entry.activation for entry in reported]
        below(figure, [Line2D([], [], label=name, **line(styles[name])) for name in names], height, INK)
