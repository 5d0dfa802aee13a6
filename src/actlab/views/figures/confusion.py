"""A still figure of which classes are mixed up: a matrix for each activation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from actlab.errors import InvalidRecording
from actlab.recording import Recording
from actlab.statistics.confusion import MOST_CLASSES
from actlab.statistics.confusion import confusion as confusion_of
from actlab.statistics.intervals import Floats
from actlab.statistics.selection import Reported
from actlab.views.figures.legends import wrapped
from actlab.views.palette import SERIES, WRONG, Styles
from actlab.wording import number

# Matrices side by side, and inches that a row of them takes.
COLUMNS, ROW = 3, 3.3
# More classes than these have no numbers in their cells, which would be too small.
WRITTEN = 12
# As on the page: how much of the full colour a cell has in which all samples of its class lie.
RIGHT, ERROR = 0.65, 0.6
LONGEST = 12


def confusion(figure: Figure, recording: Recording, reported: Sequence[Reported], styles: Styles) -> None:
    """For each activation true by predicted class, in per cent of the test samples of the true one.

    Raises:
        InvalidRecording: the recording does not tell, or has too many classes for a matrix.
    """
    classes = recording.facts["classes"]
    _check(recording)
    matrices = {entry.activation: confusion_of(recording, entry) for entry in reported}
    known = {name: matrix for name, matrix in matrices.items() if matrix is not None}
    if not known:
        raise InvalidRecording(f"{recording.directory}: all networks diverged, and there is nothing to draw.")
    columns = min(COLUMNS, len(known))
    rows = -(-len(known) // columns)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel in panels[len(known) :]:
        panel.set_axis_off()
    room = 0.8 * figure.get_figwidth() / columns
    for panel, (name, matrix) in zip(panels, known.items(), strict=False):
        _matrix(panel, matrix, classes)
        panel.set_title(wrapped(name, room, 11.0), fontsize=11, color=styles[name].printed, parse_math=False)
    figure.supxlabel("class that the network decides for", fontsize=9)
    figure.supylabel("true class (numbers: % of its samples)", fontsize=9)


def _check(recording: Recording) -> None:
    if not recording.objective.decides:
        if not recording.objective.predicts:
            raise InvalidRecording(f"{recording.directory} is of several labels: its report tells which are found.")
        raise InvalidRecording(f"{recording.directory} predicts numbers: there are no classes to mix up.")
    if recording.outputs is None:
        raise InvalidRecording(
            f"{recording.directory} does not hold the outputs for the test samples: it is of a run that was stopped, "
            "of an earlier version, or of too many networks; record it anew, with fewer seeds or activations."
        )
    if (count := len(recording.facts["classes"])) > MOST_CLASSES:
        raise InvalidRecording(
            f"{recording.directory} has {count} classes, and a matrix of at most {MOST_CLASSES} can be read: the "
            "report lists those that are mixed up most often."
        )


def _matrix(panel: Axes, matrix: Floats, classes: Sequence[str]) -> None:
    of_class = matrix.sum(axis=1, keepdims=True)
    shares = np.divide(matrix, of_class, out=np.zeros_like(matrix), where=of_class > 0)
    own = np.eye(len(classes), dtype=bool)
    # Errors are small: by the square root of the share they can be seen.
    strength = np.where(own, RIGHT * shares, ERROR * np.sqrt(shares))[..., None]
    colour = np.where(own[..., None], to_rgb(SERIES[0]), to_rgb(WRONG))
    panel.imshow(strength * colour + (1 - strength), interpolation="nearest")
    panel.grid(visible=False)
    panel.spines[:].set_visible(False)
    size = min(9.0, 60 / len(classes) + 1.5)
    names = [label if len(label) <= LONGEST else f"{label[: LONGEST - 1]}…" for label in classes]
    upright = max(map(len, names)) > 3
    panel.set_xticks(range(len(names)), names, fontsize=size, rotation=90 * upright, parse_math=False)
    panel.set_yticks(range(len(names)), names, fontsize=size, parse_math=False)
    panel.tick_params(length=0)
    if len(classes) > WRITTEN:
        return
    for (row, column), share in np.ndenumerate(shares):
        if share >= 0.0005:
            text = number(100 * share, ".0f" if share == 1 else ".1f")
            panel.text(column, row, text, ha="center", va="center", fontsize=size - 1)
