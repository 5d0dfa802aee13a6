"""The functions in a terminal: all of them as a table, one of them as a card with its figure."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from actlab.functions import Activation
from actlab.functions.measured.card import (
    between,
    curves,
    description,
    facts_in_words,
    height_of,
    real,
    with_gaps,
)
from actlab.views.terminal.braille import Curve, draw
from actlab.views.terminal.comparison import plain_table
from actlab.wording import DASH

HEADERS = ("function", "year", "range", "zero-\ncentred", "sup\n|f'|", "satu-\nrates", "also called")
# Value, further values, derivative.
STYLES = ("bold cyan", "cyan", "yellow")


def functions_table(activations: Iterable[Activation]) -> Table:
    """The functions by family, one in a row, with the measured facts by which one chooses among them."""
    table = plain_table(gap=1)
    for header in HEADERS:
        table.add_column(header, overflow="fold", no_wrap=header == "function")
    families: dict[str, list[Activation]] = {}
    for activation in activations:
        families.setdefault(activation.family, []).append(activation)
    for family, members in families.items():
        table.add_row(Text(family.replace("_", " "), style="bold"))
        for activation in members:
            table.add_row(*_cells(activation))
    return table


def _cells(activation: Activation) -> list[str | Text]:
    facts = activation.facts()
    return [
        Text(f" {activation.name}"),
        str(activation.year or DASH),
        between(facts.range),
        DASH if facts.zero_centred is None else "yes" if facts.zero_centred else "no",
        real(facts.slope_supremum),
        _sides(facts.saturation),
        Text(", ".join(activation.aliases)),
    ]


def _sides(saturation: tuple[float | None, float | None] | None) -> str:
    """On which side a function saturates.

    >>> _sides((-7.6, 7.6)), _sides((-0.0, None)), _sides((None, None)), _sides(None)
    ('both', 'left', 'no', '–')
    """
    if saturation is None:
        return DASH
    left, right = (end is not None for end in saturation)
    return ("both" if right else "left") if left else ("right" if right else "no")


def function_card(activation: Activation, *, plot: bool = True) -> RenderableType:
    """All about one function: title, formula, figure, parameters, source, names, facts."""
    title = Text(f"{activation.title} ({activation.name})", style="bold")
    words = description(activation)
    parts: list[RenderableType] = [title, _grid(words[:1])]
    figure = _figure(activation) if plot else None
    if figure:
        parts += [Text(), *figure, Text()]
    return Group(*parts, _grid([*words[1:], *facts_in_words(activation.facts())]))


def _grid(points: Iterable[tuple[str, str]]) -> RenderableType:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True, min_width=11)
    grid.add_column(overflow="fold")
    for name, value in points:
        if value:
            grid.add_row(name, Text(value))
    return Padding(grid, (0, 0, 0, 2))


def _figure(activation: Activation) -> list[Text]:
    """Value and derivative in braille with a legend; nothing for a function that needs weights."""
    x, lines = curves(activation)
    if not lines:
        return []
    styles = [STYLES[0], *[STYLES[1]] * (len(lines) - 2), STYLES[2]]
    drawn = [Curve(with_gaps(x, y), style) for (_, y), style in zip(lines, styles, strict=True)]
    columns = max(min(Console().width - 14, 64), 20)
    legend = Text(" " * 9)
    for (label, _), style in zip(lines, styles, strict=True):
        legend.append("━━ ", style=style).append(f"{label}   ")
    return [draw(x, [drawn[-1], *reversed(drawn[:-1])], height_of(lines), columns, 14), legend]
