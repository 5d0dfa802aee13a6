"""Still figures of a training that was watched: its loss, and what was measured in its layers, by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.figure import Figure

from actlab.errors import InvalidRecording
from actlab.recording import Recording
from actlab.recording.measures import MEASURES
from actlab.views.figures.snapshots import INK, STYLE
from actlab.views.palette import SERIES
from actlab.watching.recorded import looks_of

# As the page's heat maps are on white paper.
HEAT = LinearSegmentedColormap.from_list(
    "heat", ["#f4f1ea", "#d3e2ee", "#a3c6e3", "#689fd2", "#3a76b8", "#234f94", "#122757"]
)
# So many names stand beside the rows, so many steps below the columns.
NAMES, STEPS = 16, 7


def curves(figure: Figure, recording: Recording) -> None:
    """The loss of the batch by step beside the best constant answer's, and gradients layer by layer."""
    left, right = figure.subplots(1, 2)
    looks = looks_of(recording)
    steps = [look.step for look in looks]
    left.plot(steps, [look.loss for look in looks], color=SERIES[0], label="batch")
    constant = np.array([look.constant.loss for look in looks])
    if np.isfinite(constant).any():
        left.plot(steps, constant, color=INK, linestyle="--", linewidth=1, label="best constant answer")
    left.set(xlabel="step", title="loss")
    left.legend()
    heat(right, recording, "weight_gradient_norm")


def gradients(figure: Figure, recording: Recording) -> None:
    """Gradients of the weights, and what the optimiser makes of them, layer by layer."""
    for panel, name in zip(figure.subplots(1, 2), ("weight_gradient_norm", "update_ratio"), strict=True):
        heat(panel, recording, name)


def heat(panel: Axes, recording: Recording, name: str) -> None:
    """A measure with a row for each layer, the input's at the bottom, and a column for each look."""
    measure = MEASURES[name]
    names = list(recording.facts[measure.axis or ""])
    values = recording.probes[name][:, 0].astype(float).T
    known = values[np.isfinite(values) & (values > 0)]
    steps = recording.probes["step"][:, 0]
    panel.grid(visible=False)
    panel.set(title=measure.title, xlabel="step (a column for each look)")
    if known.size:
        shown = np.ma.masked_invalid(np.where(values > 0, values, np.nan))
        norm = LogNorm(known.min(), max(known.max(), known.min() * 1.01))
        picture = panel.pcolormesh(shown, norm=norm, cmap=HEAT)
        assert panel.figure is not None
        panel.figure.colorbar(picture, ax=panel)
    else:
        panel.text(0.5, 0.5, "zero, or not seen, everywhere", ha="center", transform=panel.transAxes)
        panel.set(xlim=(0, len(steps)), ylim=(0, len(names)))
    rows, columns = _spread(len(names), NAMES), _spread(len(steps), STEPS)
    panel.set_yticks(rows + 0.5, [names[row] for row in rows], fontsize=7, parse_math=False)
    panel.set_xticks(columns + 0.5, [str(steps[column]) for column in columns])


def _spread(count: int, most: int) -> npt.NDArray[np.int64]:
    """At most so many places of `count`, evenly spread.

    >>> _spread(9, 3).tolist(), _spread(2, 5).tolist()
    ([0, 4, 8], [0, 1])
    """
    return np.unique(np.round(np.linspace(0, count - 1, min(most, count))).astype(int))


HISTORIES: Mapping[str, Callable[[Figure, Recording], None]] = {"curves": curves, "gradients": gradients}


def draw(kind: str, figure: Figure, recording: Recording) -> None:
    """Draw "curves" or "gradients" onto an empty figure.

    Raises:
        InvalidRecording: what is asked for needs a comparison, or was not recorded.
    """
    if kind not in HISTORIES:
        raise InvalidRecording(
            f"{recording.directory} is a single training that was watched, and {kind} can not be drawn of it: draw "
            "curves or gradients."
        )
    with mpl.rc_context(STYLE):
        HISTORIES[kind](figure, recording)
