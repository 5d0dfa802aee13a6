"""What more seeds would show, as a table for the terminal."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from actlab.statistics.power import STUDIES, WANTED, Power
from actlab.statistics.simultaneous import FEWEST_SEEDS
from actlab.views.terminal.comparison import plain_table
from actlab.wording import counted


def power_table(power: Power) -> Table:
    """By the number of seeds, in how many studies each activation is told from a better one; below, seeds needed.

    A share that reaches four of five is bold.
    """
    best, *others = power.activations
    table = plain_table(title=Text(f"told from a better one, % of studies ({best} has the highest mean)"))
    table.add_column("seeds", justify="right")
    for name in others:
        table.add_column(Text(name), justify="right", overflow="fold")
    table.add_column(Text(f"{best} alone\nmay be the best"), justify="right")
    for place, count in enumerate(power.seeds):
        cells = [_share(share) for share in (*power.left_out[place, 1:], power.alone[place])]
        table.add_row(str(count), *cells)
    needed = [power.needed(name) for name in others]
    table.add_section()
    table.add_row("needed", *(f"> {power.seeds[-1]}" if count is None else str(count) for count in needed), "")
    return table


def legend(power: Power) -> str:
    """What the table is made of."""
    return (
        f"Of {STUDIES} made-up studies for each row, with the means and covariances of the "
        f"{counted(power.recorded, 'seed')} recorded, concluded as the report does, its corrections included; needed: "
        f"the first row with {WANTED:.0%}. It is said of these test samples, and what was seen is itself an estimate"
        + (", here of very few seeds" if power.recorded < FEWEST_SEEDS else "")
        + ": a difference that is none has no power with any number of seeds."
    )


def _share(share: float) -> Text:
    return Text(f"{100 * share:.0f}", style="bold" if share >= WANTED else "")
