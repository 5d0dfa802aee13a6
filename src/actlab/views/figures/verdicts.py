"""Still figures of what a comparison concludes: differences, ranks with their groups, what more seeds would show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from actlab.errors import InvalidRecording
from actlab.recording import Recording
from actlab.statistics import reported as reported_of
from actlab.statistics import summarise
from actlab.statistics.power import WANTED, power
from actlab.statistics.selection import Reported
from actlab.statistics.summary import ranking
from actlab.views.palette import Styles
from actlab.views.report.outcome import oriented

# Inches a row of a list takes, and the rest of the figure.
ROW, REST = 0.32, 1.1
THICK, THIN = 4.0, 1.2


def differences(figure: Figure, recording: Recording, reported: Sequence[Reported], styles: Styles) -> None:
    """Each activation's distance to the best one, or to the recording's baseline.

    Thick: simultaneous intervals over seeds; thin: for new data.
    """
    summary, lead = summarise(recording), recording.lead
    shown = _shown(summary, reported)
    beside = summary["baseline"]
    best = beside["name"] if beside else shown[0]["name"]
    names = {row["name"] for row in shown} | {best}
    rows = [
        oriented(row, best)
        for row in (beside or summary)["comparisons"]
        if row["metric"] == lead.test and best in (row["a"], row["b"]) and {row["a"], row["b"]} <= names
    ]
    rows = [row for row in rows if row["ci95_simultaneous"]]
    if not rows:
        raise InvalidRecording(f"{recording.directory}: two seeds of two activations are needed to draw differences.")
    order = [row["name"] for row in shown]
    rows.sort(key=lambda row: order.index(row["b"]))
    panel = _list(figure, [row["b"] for row in rows])
    for place, row in enumerate(rows):
        colour = styles[row["b"]].printed
        for key, width in (("ci95_new_data", THIN), ("ci95_simultaneous", THICK)):
            if row[key]:
                _interval(panel, [-lead.scale * end for end in row[key]], place, colour, width)
        panel.plot(-lead.scale * row["difference"], place, "o", color=colour)
    panel.axvline(0, color="0.4", linewidth=1)
    fresh = "; thin: for new data" if any(row["ci95_new_data"] for row in rows) else ""
    family = "all of them" if beside else "all pairs"
    unit = f" in {lead.apart}" if lead.apart else ""
    panel.set_xlabel(f"test {lead.title}, difference to {best}{unit}, 95 % over seeds for {family} at once{fresh}")


def ranks(figure: Figure, recording: Recording, reported: Sequence[Reported], styles: Styles) -> None:
    """The activations by the mean of what leads with 95 % intervals; bars join those of which no two are told apart."""
    summary, lead = summarise(recording), recording.lead
    shown = [row for row in _shown(summary, reported) if row[lead.test]["mean"] is not None]
    if not shown:
        raise InvalidRecording(f"{recording.directory}: all networks diverged, and there are no means to draw.")
    names = [row["name"] for row in shown]
    panel = _list(figure, names)
    for place, row in enumerate(shown):
        colour, estimate = styles[row["name"]].printed, row[lead.test]
        for interval, width in ((row["test_accuracy_ci95_new_data"], THIN), (estimate["ci95"], THICK)):
            if interval:
                _interval(panel, [lead.scale * end for end in interval], place, colour, width)
        panel.plot(lead.scale * estimate["mean"], place, "o", color=colour)
    compared = [row for row in summary["comparisons"] if row["metric"] == lead.test]
    for number, (first, final) in enumerate(groups(names, compared)):
        panel.plot([1.02 + 0.025 * number] * 2, [first - 0.25, final + 0.25], color="0.3", linewidth=3,
                   transform=panel.get_yaxis_transform(), clip_on=False)  # fmt: skip
    fresh = "; thin: for new data" if any(row["test_accuracy_ci95_new_data"] for row in shown) else ""
    unit = f", {lead.unit}" if lead.unit else ""
    panel.set_xlabel(
        f"test {lead.title}{unit}, 95 % over seeds{fresh}. Bars: no two are told apart, all pairs asked at once;\n"
        "fewer may be the best, for which each is asked against the best one alone"
    )


def groups(names: Sequence[str], comparisons: Sequence[Mapping[str, Any]]) -> list[tuple[int, int]]:
    """Runs of names, best first, of which no two are told apart: places of the first and the last, the longest ones.

    >>> groups(["a", "b", "c"], [{"a": "a", "b": "c", "told_apart": True}])
    [(0, 1), (1, 2)]
    """
    apart = {frozenset((row["a"], row["b"])) for row in comparisons if row["told_apart"]}
    found: list[tuple[int, int]] = []
    for first in range(len(names)):
        final = first
        while final + 1 < len(names) and not any(
            frozenset(pair) in apart for pair in combinations(names[first : final + 2], 2)
        ):
            final += 1
        if final > first and (not found or final > found[-1][1]):
            found.append((first, final))
    return found


def power_curves(figure: Figure, recording: Recording, reported: Sequence[Reported], styles: Styles) -> None:
    """In how many studies each activation is told from a better one, by the number of seeds."""
    ranked = [entry for entry in ranking(recording, reported_of(recording)) if entry in reported]
    found = power(recording, ranked)
    panel = figure.subplots()
    for place, name in enumerate(found.activations):
        style = styles[name]
        panel.plot(found.seeds, 100 * found.left_out[:, place], "o-", markersize=3, color=style.printed, label=name)
    panel.axhline(100 * WANTED, color="0.4", linewidth=1, linestyle=":")
    panel.axvline(found.recorded, color="0.4", linewidth=1, linestyle=":")
    panel.set(
        xscale="log",
        ylim=(-2, 102),
        xlabel=f"seeds (recorded: {found.recorded})",
        ylabel="% of studies",
        title=f"told from a better one, if as far behind {found.activations[0]} as it looks",
    )
    panel.set_xticks(found.seeds, [str(count) for count in found.seeds])
    panel.minorticks_off()


def _shown(summary: Mapping[str, Any], reported: Sequence[Reported]) -> list[Mapping[str, Any]]:
    wanted = {entry.activation for entry in reported}
    shown = [row for row in summary["activations"] if row["name"] in wanted]
    # What mostly diverged is compared with nothing.
    return [row for row in shown if row["name"] not in summary["not_compared"]] or shown


def _interval(panel: Axes, ends: Sequence[float], place: int, colour: str, width: float) -> None:
    # A round end would reach over a zero at which the interval stops.
    panel.plot(list(ends), [place] * 2, color=colour, linewidth=width, solid_capstyle="butt")


def _list(figure: Figure, names: Sequence[str]) -> Axes:
    panel = figure.subplots()
    panel.set_yticks(np.arange(len(names)), names, parse_math=False)
    panel.set_ylim(len(names) - 0.4, -0.6)
    panel.grid(visible=False, axis="y")
    return panel
