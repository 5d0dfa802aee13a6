"""Still and moving figures of a recording, drawn with Matplotlib: what the page's player shows, for paper."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.animation import FuncAnimation
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from actlab.replay.feature_space import DecisionSurface, FeatureSpace, Snapshot
from actlab.views.figures.legends import LETTER, below, wrapped
from actlab.views.palette import CLASSES, WRONG, Styles

# Inches of a panel, and of the margins around all panels; a legend comes on top.
PANEL = (2.5, 2.3)
AROUND = (0.7, 0.4)
BINS = 40
LOSSES = (1e-6, 1e2)
INK, QUIET, RULE = "#1f1f23", "#66635c", "#e6e2d8"
STYLE: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#b9b4a8",
    "axes.labelcolor": QUIET,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "legend.frameon": False,
}


class Picture(Figure):
    """A figure that shows itself in a notebook, and says what is in it."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=110)
        return buffer.getvalue()


class Animation(FuncAnimation):
    """An animation that shows itself in a notebook."""

    def _repr_html_(self) -> str:
        return self.to_jshtml()


Panel = Callable[[Axes, FeatureSpace, Snapshot, str], None]


def input_space(panel: Axes, space: FeatureSpace, snapshot: Snapshot, colour: str) -> None:
    """The samples as they are, and what the network decides over them."""
    points = space.x.reshape(-1, 2)
    ticks = [np.linspace(low, high, 13) for low, high in space.input_box]
    panel.vlines(ticks[0], *space.input_box[1], color=QUIET, alpha=0.25, linewidth=0.6, zorder=1)
    panel.hlines(ticks[1], *space.input_box[0], color=QUIET, alpha=0.25, linewidth=0.6, zorder=1)
    _plane(panel, points, space, snapshot, snapshot.inputs, space.input_box)


def features(panel: Axes, space: FeatureSpace, snapshot: Snapshot, colour: str) -> None:
    """The samples as the layer sees them, with the input space's coordinate lines bent."""
    for line in snapshot.lines if snapshot.lines is not None else ():
        panel.plot(*line.T, color=QUIET, alpha=0.35, linewidth=0.6, zorder=1)
    _plane(panel, snapshot.points, space, snapshot, snapshot.features, space.shown)


def _plane(
    panel: Axes,
    points: np.ndarray,
    space: FeatureSpace,
    snapshot: Snapshot,
    surface: DecisionSurface | None,
    box: np.ndarray,
) -> None:
    if surface is not None and np.isfinite(surface.logits).all():
        _decisions(panel, surface)
    # Samples beyond shared axes stand at their edge.
    points = np.clip(points, *box.T)
    size = 3.0 if len(points) <= 600 else 1.8
    wrong = points[~snapshot.right]
    panel.plot(*wrong.T, "o", color=WRONG, markersize=size + 1.6, markeredgewidth=0, alpha=0.9, zorder=2)
    for label in np.unique(space.y):
        own = points[space.y == label]
        colour = CLASSES[int(label) % len(CLASSES)]
        panel.plot(*own.T, "o", color=colour, markersize=size, markeredgewidth=0, alpha=0.8, zorder=3)
    panel.set(xlim=box[0], ylim=box[1], xticks=[], yticks=[])
    panel.grid(visible=False)
    panel.spines[:].set_visible(True)


def _decisions(panel: Axes, surface: DecisionSurface) -> None:
    """A tint by what the network says, and the lines on which it changes its mind."""
    logits = surface.logits.astype(float)
    extent = (*surface.box[0], *surface.box[1])
    if logits.shape[2] == 1:
        blend = LinearSegmentedColormap.from_list("decision", [CLASSES[0], "#ffffff", CLASSES[1]])
        share = 1 / (1 + np.exp(-np.clip(logits[..., 0], -50, 50)))
        panel.imshow(
            share, extent=extent, origin="lower", cmap=blend, vmin=0, vmax=1, alpha=0.3, aspect="auto", zorder=0
        )
        margins = [logits[..., 0]]
    else:
        best = logits.argmax(axis=2)
        colours = np.array([to_rgba(CLASSES[k % len(CLASSES)], 0.18) for k in range(logits.shape[2])])
        panel.imshow(colours[best], extent=extent, origin="lower", aspect="auto", zorder=0)
        margins = [logits[..., k] - np.delete(logits, k, axis=2).max(axis=2) for k in range(logits.shape[2])]
    across, up = (np.linspace(low, high, logits.shape[0]) for low, high in surface.box)
    for margin in margins:
        if margin.min() < 0 < margin.max():
            panel.contour(across, up, margin, levels=[0], colors=[INK], linewidths=1.4, zorder=4)


def probabilities(panel: Axes, space: FeatureSpace, snapshot: Snapshot, colour: str) -> None:
    """Samples by predicted probability; with two classes the second one's above the line, the first one's below."""
    edges = np.linspace(0, 1, BINS + 1)
    binary = space.network.output_shape == (1,)
    sides = [(space.y == 1, 1, CLASSES[1]), (space.y == 0, -1, CLASSES[0])] if binary else [(space.y >= 0, 1, colour)]
    for chosen, sign, own in sides:
        _bars(panel, snapshot.probability[chosen], snapshot.right[chosen], edges, own, sign)
    classes = space.recording.facts["classes"]
    most = len(space.y) / 2 if binary else len(space.y)
    words = f"probability of {classes[1]}" if binary else "probability of the true class"
    panel.set_xlabel(wrapped(words, 0.8 * PANEL[0], 9), parse_math=False)
    _counts(panel, -most if binary else 0, most)


def losses(panel: Axes, space: FeatureSpace, snapshot: Snapshot, colour: str) -> None:
    """Samples by their cross-entropy, on a logarithmic axis."""
    edges = np.geomspace(*LOSSES, BINS + 1)
    _bars(panel, np.clip(snapshot.loss, *LOSSES), snapshot.right, edges, colour, 1)
    panel.set_xscale("log")
    panel.set_xlabel("loss of each sample")
    _counts(panel, 0, len(space.y))


def _bars(panel: Axes, values: np.ndarray, right: np.ndarray, edges: np.ndarray, colour: str, sign: int) -> None:
    """A histogram with the wrong ones, in red, next to the line."""
    finite = np.isfinite(values)
    wrong, good = (np.histogram(values[finite & chosen], edges)[0] for chosen in (~right, right))
    widths = np.diff(edges)
    panel.bar(edges[:-1], sign * wrong, widths, align="edge", color=WRONG)
    panel.bar(edges[:-1], sign * good, widths, bottom=sign * wrong, align="edge", color=colour)


def _counts(panel: Axes, low: float, high: float) -> None:
    """An axis of counts that is the same for all panels and epochs, of square roots: a few are seen beside many."""
    panel.set_yscale("function", functions=(_root, _square))
    panel.set_ylim(low, high)
    ticks = [count for count in (0, 1, 10, 100, 1000, 10_000) if count <= high and (not count or count > high / 30)]
    panel.set_yticks([-count for count in ticks[:0:-1] if low < 0] + ticks)
    panel.set_ylabel("samples")
    panel.yaxis.set_major_formatter(lambda value, _: f"{abs(value):g}")
    panel.axhline(0, color="#b9b4a8", linewidth=0.8)


def _root(counts: np.ndarray) -> np.ndarray:
    return np.sign(counts) * np.sqrt(np.abs(counts))


def _square(roots: np.ndarray) -> np.ndarray:
    return np.sign(roots) * np.square(roots)


PANELS: Mapping[str, tuple[str, Panel]] = {
    "input-space": ("input space", input_space),
    "feature-space": ("feature space", features),
    "probabilities": ("predicted probabilities", probabilities),
    "losses": ("losses", losses),
}


def size_of(rows: int, columns: int) -> tuple[float, float]:
    """Inches of a figure of so many panels, without its legend.

    >>> size_of(1, 2)
    (5.7, 2.7)
    """
    return round(PANEL[0] * columns + AROUND[0], 3), round(PANEL[1] * rows + AROUND[1], 3)


def draw_snapshots(
    figure: Figure,
    spaces: Sequence[FeatureSpace],
    kinds: Sequence[str],
    epochs: Sequence[int],
    styles: Styles,
    height: float | None,
) -> None:
    """A row for each activation, and in it a panel for each epoch and kind.

    `height`: of the figure without its legend, in inches; None where the figure keeps its size.
    """
    figure.clear()
    columns = [(epoch, kind) for epoch in epochs for kind in kinds]
    with mpl.rc_context(STYLE):
        panels = figure.subplots(len(spaces), len(columns), squeeze=False)
        for row, space in zip(panels, spaces, strict=True):
            activation = space.member.activation
            for panel, (epoch, kind) in zip(row, columns, strict=True):
                snapshot = space.at(min(epoch, space.epochs[-1]))
                PANELS[kind][1](panel, space, snapshot, styles[activation].printed)
                panel.set_title(_title(space, snapshot, epoch, kind, len(kinds)), fontsize=9, color=QUIET)
            # A long name gets a smaller type: it stands along its panel.
            size = min(11.0, 72 * 0.6 * PANEL[1] / (1.15 * LETTER * len(activation)))
            row[0].set_ylabel(activation, fontsize=size, fontweight="bold", color=styles[activation].printed)
        below(figure, _marks(spaces, kinds, styles), height, QUIET)


def _title(space: FeatureSpace, snapshot: Snapshot, epoch: int, kind: str, kinds: int) -> str:
    what = f"{PANELS[kind][0]}\n" if kinds > 1 else ""
    if snapshot.epoch < epoch:
        said = f"{what}diverged at epoch {space.member.diverged_epoch}"
    else:
        said = f"{what}epoch {epoch}: {100 * snapshot.right.mean():.1f} % right"
    beyond = ((snapshot.points < space.shown[:, 0]) | (snapshot.points > space.shown[:, 1])).any(axis=1).sum()
    return f"{said}\n{beyond} samples beyond the axes" if beyond and kind == "feature-space" else said


def _marks(spaces: Sequence[FeatureSpace], kinds: Sequence[str], styles: Styles) -> list[Line2D]:
    """What the legend explains: what these kinds of panels draw, and nothing else."""
    first = spaces[0]
    planes = bool({"input-space", "feature-space"} & set(kinds))
    # With two classes the bars of the probabilities have the classes' colours, all other bars the activation's.
    by_class = "probabilities" in kinds and first.network.output_shape == (1,)
    by_activation = "losses" in kinds or ("probabilities" in kinds and not by_class)
    marks = []
    if planes or by_class:
        names = first.recording.facts["classes"]
        marks += [_mark(CLASSES[int(label) % len(CLASSES)], str(names[int(label)])) for label in np.unique(first.y)]
    if by_activation and len(spaces) == 1:
        marks.append(_mark(styles[first.member.activation].printed, "classified rightly"))
    elif by_activation:
        marks.append(_mark(QUIET, "classified rightly: the colour of the activation"))
    marks.append(_mark(WRONG, "classified wrongly"))
    return [*marks, Line2D([], [], color=INK, label="decision")] if planes else marks


def _mark(colour: str, label: str) -> Line2D:
    return Line2D([], [], marker="o", linestyle="", color=colour, label=label)


def animation(figure: Figure, draw: Callable[[int], Any], epochs: Sequence[int], frames_per_second: float) -> Animation:
    """An animation that draws each epoch anew."""

    def frame(epoch: int) -> list[Any]:
        draw(epoch)
        return []

    return Animation(
        figure, frame, frames=list(epochs), interval=1000 / frames_per_second, init_func=list, cache_frame_data=False
    )
