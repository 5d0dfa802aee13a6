"""Still and moving pictures of a recording, drawn with Matplotlib: what the page's player shows, for paper."""

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

from actlab.views.feature_space import FeatureSpace, Ground, Moment
from actlab.views.palette import CLASSES, WRONG

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


class Film(FuncAnimation):
    """An animation that shows itself in a notebook."""

    def _repr_html_(self) -> str:
        return self.to_jshtml()


Panel = Callable[[Axes, FeatureSpace, Moment, str], None]


def input_space(panel: Axes, space: FeatureSpace, moment: Moment, colour: str) -> None:
    """The samples as they are, and what the network decides over them."""
    points = space.x.reshape(-1, 2)
    ticks = [np.linspace(low, high, 13) for low, high in space.input_box]
    panel.vlines(ticks[0], *space.input_box[1], color=QUIET, alpha=0.25, linewidth=0.6, zorder=1)
    panel.hlines(ticks[1], *space.input_box[0], color=QUIET, alpha=0.25, linewidth=0.6, zorder=1)
    _plane(panel, points, space, moment, moment.inputs, space.input_box)


def features(panel: Axes, space: FeatureSpace, moment: Moment, colour: str) -> None:
    """The samples as the layer sees them, with the input space's coordinate lines bent."""
    for line in moment.lines if moment.lines is not None else ():
        panel.plot(*line.T, color=QUIET, alpha=0.35, linewidth=0.6, zorder=1)
    _plane(panel, moment.points, space, moment, moment.features, space.box)


def _plane(
    panel: Axes, points: np.ndarray, space: FeatureSpace, moment: Moment, ground: Ground | None, box: np.ndarray
) -> None:
    if ground is not None and np.isfinite(ground.logits).all():
        _decisions(panel, ground)
    size = 3.0 if len(points) <= 600 else 1.8
    wrong = points[~moment.right]
    panel.plot(*wrong.T, "o", color=WRONG, markersize=size + 1.6, markeredgewidth=0, alpha=0.9, zorder=2)
    for label in np.unique(space.y):
        own = points[space.y == label]
        colour = CLASSES[int(label) % len(CLASSES)]
        panel.plot(*own.T, "o", color=colour, markersize=size, markeredgewidth=0, alpha=0.8, zorder=3)
    panel.set(xlim=box[0], ylim=box[1], xticks=[], yticks=[])
    panel.grid(visible=False)
    panel.spines[:].set_visible(True)


def _decisions(panel: Axes, ground: Ground) -> None:
    """A tint by what the network says, and the lines on which it changes its mind."""
    logits = ground.logits.astype(float)
    extent = (*ground.box[0], *ground.box[1])
    if logits.shape[2] == 1:
        blend = LinearSegmentedColormap.from_list("decision", [CLASSES[0], "#ffffff", CLASSES[1]])
        share = 1 / (1 + np.exp(-np.clip(logits[..., 0], -50, 50)))
        image = share
        panel.imshow(
            image, extent=extent, origin="lower", cmap=blend, vmin=0, vmax=1, alpha=0.3, aspect="auto", zorder=0
        )
        margins = [logits[..., 0]]
    else:
        best = logits.argmax(axis=2)
        colours = np.array([to_rgba(CLASSES[k % len(CLASSES)], 0.18) for k in range(logits.shape[2])])
        panel.imshow(colours[best], extent=extent, origin="lower", aspect="auto", zorder=0)
        margins = [logits[..., k] - np.delete(logits, k, axis=2).max(axis=2) for k in range(logits.shape[2])]
    across, up = (np.linspace(low, high, logits.shape[0]) for low, high in ground.box)
    for margin in margins:
        if margin.min() < 0 < margin.max():
            panel.contour(across, up, margin, levels=[0], colors=[INK], linewidths=1.4, zorder=4)


def probabilities(panel: Axes, space: FeatureSpace, moment: Moment, colour: str) -> None:
    """Samples by predicted probability; with two classes the second one's above the line, the first one's below."""
    edges = np.linspace(0, 1, BINS + 1)
    binary = space.network.output_shape == (1,)
    sides = [(space.y == 1, 1, CLASSES[1]), (space.y == 0, -1, CLASSES[0])] if binary else [(space.y >= 0, 1, colour)]
    for chosen, sign, own in sides:
        _bars(panel, moment.probability[chosen], moment.right[chosen], edges, own, sign)
    classes = space.recording.facts["classes"]
    panel.set_xlabel(f"probability of {classes[1]}" if binary else "probability of the true class")
    _counts(panel)


def losses(panel: Axes, space: FeatureSpace, moment: Moment, colour: str) -> None:
    """Samples by their cross-entropy, on a logarithmic axis."""
    edges = np.geomspace(*LOSSES, BINS + 1)
    _bars(panel, np.clip(moment.loss, *LOSSES), moment.right, edges, colour, 1)
    panel.set_xscale("log")
    panel.set_xlabel("loss of each sample")
    _counts(panel)


def _bars(panel: Axes, values: np.ndarray, right: np.ndarray, edges: np.ndarray, colour: str, sign: int) -> None:
    """A histogram with the wrong ones, in red, next to the line."""
    finite = np.isfinite(values)
    wrong, good = (np.histogram(values[finite & chosen], edges)[0] for chosen in (~right, right))
    widths = np.diff(edges)
    panel.bar(edges[:-1], sign * wrong, widths, align="edge", color=WRONG)
    panel.bar(edges[:-1], sign * good, widths, bottom=sign * wrong, align="edge", color=colour)


def _counts(panel: Axes) -> None:
    panel.set_ylabel("samples")
    panel.yaxis.set_major_formatter(lambda value, _: f"{abs(value):g}")
    panel.axhline(0, color="#b9b4a8", linewidth=0.8)


PANELS: Mapping[str, tuple[str, Panel]] = {
    "input-space": ("input space", input_space),
    "feature-space": ("feature space", features),
    "probabilities": ("predicted probabilities", probabilities),
    "losses": ("losses", losses),
}


def draw_moments(
    figure: Figure,
    spaces: Sequence[FeatureSpace],
    kinds: Sequence[str],
    epochs: Sequence[int],
    colours: Mapping[str, str],
) -> None:
    """A row for each activation, and in it a panel for each epoch and kind."""
    figure.clear()
    columns = [(epoch, kind) for epoch in epochs for kind in kinds]
    with mpl.rc_context(STYLE):
        panels = figure.subplots(len(spaces), len(columns), squeeze=False)
        for row, space in zip(panels, spaces, strict=True):
            activation = space.member.activation
            for panel, (epoch, kind) in zip(row, columns, strict=True):
                moment = space.at(min(epoch, space.epochs[-1]))
                PANELS[kind][1](panel, space, moment, colours[activation])
                panel.set_title(_title(space, moment, epoch, kind, len(kinds)), fontsize=9, color=QUIET)
            row[0].set_ylabel(activation, fontsize=11, fontweight="bold", color=colours[activation])
        _legend(figure, spaces[0], kinds)


def _title(space: FeatureSpace, moment: Moment, epoch: int, kind: str, kinds: int) -> str:
    if moment.epoch < epoch:
        return f"diverged at epoch {space.member.diverged_epoch}"
    what = f"{PANELS[kind][0]}, " if kinds > 1 else ""
    return f"{what}epoch {epoch}: {100 * moment.right.mean():.1f} % right"


def _legend(figure: Figure, space: FeatureSpace, kinds: Sequence[str]) -> None:
    from matplotlib.lines import Line2D

    names = space.recording.facts["classes"]
    marks = [
        Line2D([], [], marker="o", linestyle="", color=CLASSES[int(label) % len(CLASSES)], label=str(names[int(label)]))
        for label in np.unique(space.y)
    ]
    marks.append(Line2D([], [], marker="o", linestyle="", color=WRONG, label="classified wrongly"))
    if {"input-space", "feature-space"} & set(kinds):
        marks.append(Line2D([], [], color=INK, label="decision"))
    figure.legend(handles=marks, loc="outside lower center", ncols=8, labelcolor=QUIET)


def film(figure: Figure, draw: Callable[[int], Any], epochs: Sequence[int], frames_per_second: float) -> Film:
    """An animation that draws each epoch anew."""

    def frame(epoch: int) -> list[Any]:
        draw(epoch)
        return []

    return Film(
        figure, frame, frames=list(epochs), interval=1000 / frames_per_second, init_func=list, cache_frame_data=False
    )
