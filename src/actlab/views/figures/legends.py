"""What is written around the panels of a figure, whole: legends below all of them, and words that fit their room."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.legend import Legend

from actlab.errors import InvalidFunction

COLUMNS = 8
# Points of the type; the smaller ones where the size of the figure is given.
SIZES = (9.0, 8.0, 7.0, 6.0, 5.0)
# Inches left free beside a legend, and the share of a given height that it may take.
MARGIN = 0.1
MOST = 0.5
# Width of a letter in points of its type, taken generously, and what a mark takes before its words, in such points.
LETTER = 0.62
MARK = 5.0


def below(figure: Figure, marks: Sequence[Artist], height: float | None, colour: str) -> None:
    """Put a legend below all panels, in as many columns as there is room for.

    Args:
        figure: with its panels, laid out "constrained".
        marks: artists with a label each; labels are plain text.
        height: inches of the figure before it gets the legend, which is added to them. None: the figure keeps its size
            and the type gets smaller.
        colour: of the words.

    Raises:
        InvalidFunction: the figure is to keep a size at which even the smallest type needs too much of it.
    """
    for size in SIZES if height is None else SIZES[:1]:
        legend = _fitting(figure, marks, size, colour)
        if legend is None:
            continue
        needed = _inches(legend)[1] + MARGIN
        if height is not None:
            figure.set_size_inches(figure.get_figwidth(), height + needed)
            return
        if needed <= MOST * figure.get_figheight():
            return
        legend.remove()
    width, tall = figure.get_size_inches()
    raise InvalidFunction(
        f"a picture of {width:g}x{tall:g} inches has no room for a legend of {len(marks)} entries: give it more, or "
        "leave the size out, which then follows from what is drawn."
    )


def _fitting(figure: Figure, marks: Sequence[Artist], size: float, colour: str) -> Legend | None:
    """A legend as wide as the figure at most; None where one column of wrapped words is wider."""
    room = figure.get_figwidth() - 2 * MARGIN
    words = [wrapped(str(mark.get_label()), room - MARK * size / 72, size) for mark in marks]
    for columns in range(min(COLUMNS, len(marks)), 0, -1):
        legend = figure.legend(
            handles=list(marks),
            labels=words,
            loc="outside lower center",
            ncols=columns,
            fontsize=size,
            labelcolor=colour,
            columnspacing=1.4,
        )
        for text in legend.get_texts():
            text.set_parse_math(False)
        if _inches(legend)[0] <= room:
            return legend
        legend.remove()
    return None


def _inches(legend: Legend) -> tuple[float, float]:
    extent = legend.get_window_extent()
    figure = legend.get_figure(root=True)
    assert figure is not None
    return extent.width / figure.dpi, extent.height / figure.dpi


def wrapped(text: str, inches: float, size: float) -> str:
    """Text in lines that are no longer than some inches in a type of so many points.

    >>> wrapped("negatives all right", 1.0, 9.0).splitlines()
    ['negatives', 'all right']
    """
    letters = max(int(72 * inches / (LETTER * size)), 4)
    return textwrap.fill(text, letters) or text
