"""A figure of activation functions with their derivatives, for a file."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from actlab.errors import ActlabError, InvalidFunction
from actlab.files import replacing
from actlab.functions import Activation, catalogue
from actlab.functions.measured.card import REACH, curves, height_of, with_gaps
from actlab.views.palette import SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".svg", ".pdf")
INK, QUIET, RULE = "#1f1f23", "#6a6862", "#d9d6cc"


def plot(activations: str | Activation | Sequence[str | Activation], path: str | Path) -> Path:
    """Draw each function with its derivative, in a panel of its own, and write the figure.

    Grouping functions are drawn for two units (x, 0), over x: all outputs and the first one's derivative.

    Args:
        activations: one or several, by name or as objects.
        path: where to; the suffix .png, .svg or .pdf decides the format.

    Returns:
        The path.

    Raises:
        UnknownName: no function of that name.
        InvalidFunction: another suffix, or nothing to draw.
        ActlabError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    check_suffix(path)
    given = [activations] if isinstance(activations, (str, Activation)) else list(activations)
    chosen = [catalogue[item] if isinstance(item, str) else item for item in given]
    if not chosen:
        raise InvalidFunction("there is no function to draw: name at least one.")
    columns = min(len(chosen), 4)
    rows = -(-len(chosen) // columns)
    single = len(chosen) == 1
    size = (7.2, 4.6) if single else (4.2 * columns, 3.3 * rows)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel, activation, number in zip(panels, chosen, range(len(chosen)), strict=False):
        _draw(panel, activation, SERIES[number % len(SERIES)], large=single)
    for panel in panels[len(chosen) :]:
        panel.set_axis_off()
    return save(figure, path)


def _draw(panel: Axes, activation: Activation, colour: str, *, large: bool) -> None:
    x, lines = curves(activation)
    if not lines:
        panel.set_axis_off()
        panel.set_title(activation.title, fontsize=17 if large else 12, color=INK, loc="left")
        panel.text(0.5, 0.5, "depends on its weights", ha="center", color=QUIET, transform=panel.transAxes)
        return
    low, high = height_of(lines)
    width = 2.6 if large else 2.0
    for number, (label, y) in enumerate(lines):
        derivative = number == len(lines) - 1
        style: dict[str, Any] = {
            "color": QUIET if derivative else colour,
            "linewidth": width * (0.75 if derivative else 1),
        }
        if 0 < number < len(lines) - 1:
            style["linestyle"] = (0, (4, 2))
        panel.plot(x, with_gaps(x, y), label=label, **style)
    _label(panel, x, lines, (low, high), colour, 12 if large else 10)
    panel.set(xlim=(-REACH, REACH), ylim=(low, high))
    _axes_through_origin(panel, large=large)
    formula = _formula(activation, 84 if large else 58)
    pad = (34 if large else 28) + (15 if large else 12) * formula.count("\n")
    panel.set_title(activation.title, fontsize=17 if large else 12, color=INK, loc="left", pad=pad)
    panel.text(
        0,
        1.02,
        formula,
        transform=panel.transAxes,
        va="bottom",
        fontsize=11 if large else 9,
        color=QUIET,
    )


def _label(
    panel: Axes,
    x: np.ndarray,
    lines: Sequence[tuple[str, np.ndarray]],
    height: tuple[float, float],
    colour: str,
    size: int,
) -> None:
    """Write each line's label beside it, where it is farthest from the others and from the frame."""
    span = height[1] - height[0]
    inside = (np.abs(x) > 0.12 * REACH) & (np.abs(x) < 0.86 * REACH)
    for number, (label, y) in enumerate(lines):
        others = [other for i, (_, other) in enumerate(lines) if i != number]
        best = None
        for side in (1, -1):
            place = y + side * 0.07 * span
            distance = np.min([np.abs(place - other) for other in others], axis=0) / span
            edge = np.minimum(place - height[0], height[1] - place) / span
            clear = np.where(inside, np.minimum(np.minimum(distance, 2 * edge), 0.2), -1)
            at = int(np.argmax(clear + 0.02 * np.abs(x) / REACH))
            if best is None or clear[at] > best[0]:
                best = (clear[at], at, side)
        assert best is not None
        _, at, side = best
        derivative = number == len(lines) - 1
        # Beside a steep line there is room on one side only: left of a rising one for a label above it.
        slope = np.gradient(y, x)[at] * 2 * REACH / span
        aside = float(np.sign(slope)) * side if abs(slope) > 0.7 else 0.0
        panel.annotate(
            label,
            (float(x[at]), float(np.clip(y[at], *height))),
            xytext=(-0.8 * aside * size, side * (0.55 if not aside else 0.1) * size),
            textcoords="offset points",
            ha={1.0: "right", -1.0: "left"}.get(aside, "center"),
            va="bottom" if side > 0 else "top",
            fontsize=size,
            color=QUIET if derivative else colour,
        )


def _axes_through_origin(panel: Axes, *, large: bool) -> None:
    panel.grid(color=RULE, linewidth=0.6, alpha=0.7)
    panel.set_axisbelow(True)
    panel.axhline(0, color=INK, linewidth=0.9, zorder=1)
    panel.axvline(0, color=INK, linewidth=0.9, zorder=1)
    panel.spines[:].set_visible(False)
    panel.tick_params(length=0, labelsize=10 if large else 8, labelcolor=QUIET)


def _formula(activation: Activation, columns: int) -> str:
    """The formula in mathematical setting where Matplotlib knows all of its LaTeX, else as plain text in lines."""
    from matplotlib.mathtext import MathTextParser

    plain = textwrap.fill(f"f(x) = {activation.formula.plain}", columns).replace("$", r"\$")
    if not activation.formula.latex or "\n" in plain:
        return plain
    text = f"$f(x) = {activation.formula.latex}$"
    try:
        MathTextParser("path").parse(text)
    except ValueError:
        return plain
    return text


def check_suffix(path: str | Path) -> None:
    """Raise InvalidFunction unless the file's name ends in .png, .svg or .pdf."""
    if Path(path).suffix.lower() not in SUFFIXES:
        allowed = ", ".join(SUFFIXES[:-1]) + f" or {SUFFIXES[-1]}"
        raise InvalidFunction(f"{path}: a picture is written as {allowed}; give the file one of these endings.")


def save(figure: Figure, path: str | Path, dpi: float = 200) -> Path:
    """Write a figure, under a temporary name first, the same bytes for the same figure.

    Args:
        figure: any.
        path: a .png, .svg or .pdf file.
        dpi: dots to an inch.

    Raises:
        InvalidFunction: a suffix other than .png, .svg or .pdf.
        ActlabError: the file cannot be written.
    """
    import matplotlib

    check_suffix(path)
    path = Path(path)
    # Without a salt the ids in an SVG are random, and without these two a date is written.
    date = {".svg": "Date", ".pdf": "CreationDate"}.get(path.suffix.lower())
    try:
        with matplotlib.rc_context({"svg.hashsalt": "actlab", "svg.fonttype": "path"}), replacing(path) as temporary:
            kind = path.suffix.lower()[1:]
            figure.savefig(temporary, format=kind, dpi=dpi, metadata={date: None} if date else None)
    except OSError as error:
        raise ActlabError(f"{path}: the picture cannot be written ({error.strerror}).") from None
    return path
