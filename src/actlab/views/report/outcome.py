"""Charts of the outcome: accuracy and loss over training, paired differences, the functions themselves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from actlab.objectives import Lead, further, lead_in
from actlab.recording import Recording
from actlab.statistics.baselines import baselines
from actlab.statistics.selection import probe_samples
from actlab.statistics.simultaneous import FEWEST_SEEDS
from actlab.statistics.trained import words_of
from actlab.views.palette import Style, Styles
from actlab.views.report.charts import (
    CURVE_POINTS,
    Chart,
    Floats,
    epoch_axis,
    line_mode,
    log_ticks,
    plotly_text,
    quartiles,
    rounded,
    thinned,
)
from actlab.views.report.page_data import packed

LOSSES = {
    "validation_loss": "Validation loss",
    "train_loss": "Training loss",
}
# Training minimises these too; the losses above are cross-entropy alone.
APART = {"penalty": "L2 penalty"}
SILENCE = {
    "flat_share": "Flat: samples on which a unit's slope is all but zero",
    "dead_share": "Dead: units flat for all",
}


def curves(
    recording: Recording, members: Mapping[str, Sequence[int]], styles: Styles, summary: Mapping[str, Any]
) -> list[Chart]:
    """Charts of median and middle half over the seeds, a line for each activation.

    What is followed and the loss on validation and training data, further metrics on validation data, and the L2
    penalty.

    Args:
        recording: with at least epoch 0.
        members: by activation, places on the member axis.
        styles: by activation.
        summary: of the recording; what takes no network is a line in the charts of what leads.
    """
    # All activations share a budget of points: the page does not grow with their number.
    epochs = thinned(recording.epochs, min(CURVE_POINTS, max(40, 1800 // len(members))))
    charts = []
    apart = {name: title for name, title in APART.items() if name in recording.probes}
    known, lead = recording.metrics | {name: recording.probes[name] for name in apart}, recording.followed
    declared = {metric["name"]: metric for metric in recording.facts["metrics"]}
    for metric, title in (_titles(recording) | apart).items():
        own = {} if metric in apart else declared[metric.partition("_")[2]]
        scale = own.get("scale", 1.0)
        bands = {name: quartiles(known[metric][epochs][:, places]) * scale for name, places in members.items()}
        data = _bands_and_lines(epochs, bands, members, styles)
        axis = _accuracy_axis(bands) if scale == 100 else _loss_axis(bands, own.get("title") or APART[metric])
        layout = {"xaxis": epoch_axis(recording.epochs), "yaxis": axis, "hovermode": "x unified"}
        if own.get("name") == lead.name == recording.lead.name:
            told = levels(summary, metric.partition("_")[0]).items()
            layout |= _levels({name: lead.scale * level for name, level in told}, log=axis.get("type") == "log")
        label = f"{title} over {recording.epochs} epochs, one line for each of {len(members)} activations"
        caption = f"The axis starts at {axis['range'][0]} %; earlier epochs lie below." if "range" in axis else ""
        seeds = {name: packed(known[metric][epochs][:, places].T * scale) for name, places in members.items()}
        charts.append(Chart(metric.replace("_", "-"), title, label, data, layout, caption=caption, seeds=seeds))
    return charts


def _titles(recording: Recording) -> dict[str, str]:
    """By name of each metric and part that has a chart, its title: four beside each other, then further ones."""
    lead, losses = recording.followed, LOSSES
    title = f"{lead.title[:1]}{lead.title[1:]}"
    first = {} if lead.name == "loss" else {lead.validation: f"Validation {title}"}
    third = {} if lead.name == "loss" else {f"train_{lead.name}": f"Training {title}"}
    own = further(recording.facts["metrics"], lead.name, narrow=True)
    others = {f"validation_{metric['name']}": f"Validation {metric['title']}" for metric in own}
    validation, train = (dict([item]) for item in losses.items())
    return first | validation | third | train | others


def _levels(levels: Mapping[str, float], log: bool) -> dict[str, Any]:
    """Dotted lines across a chart, each with its name, the higher one above.

    On a logarithmic axis Plotly takes the place of a line as it is, and that of a text by its logarithm.
    """
    shared = {"xref": "paper", "yref": "y"}
    line = {"color": "var(--quiet)", "width": 1, "dash": "dot"}
    quiet = {"size": 10, "color": "var(--quiet)"}
    shapes, names = [], []
    for place, (name, level) in enumerate(sorted(levels.items(), key=lambda item: -item[1])):
        y = float(f"{level:.6g}")
        shapes.append(shared | {"type": "line", "x0": 0, "x1": 1, "y0": y, "y1": y, "line": line})
        words = {"text": plotly_text(name), "font": quiet, "showarrow": False, "xanchor": "right"}
        at = math.log10(y) if log and y > 0 else y
        names.append(shared | words | {"x": 1, "y": at, "yanchor": "top" if place else "bottom"})
    return {"shapes": shapes, "annotations": names}


def levels(summary: Mapping[str, Any], part: str = "test") -> dict[str, float]:
    """What takes no network, on a part of the data, of the metric that leads: always one answer, and guessing.

    Of both what is not the same.

    >>> levels({"majority": {"class": "0", "test_accuracy": 0.9}, "chance": 0.5})
    {"always '0'": 0.9, 'guessing': 0.5}
    """
    found = baselines(summary, part)
    if len(found) == 2 and found[0].value <= found[1].value + 0.005:
        found = found[1:]
    return {baseline.name: baseline.value for baseline in found}


def _in_unit(metric: Mapping[str, Any]) -> str:
    return f"{metric['title']}, {metric['unit']}" if metric["unit"] else metric["title"]


def silence(recording: Recording, members: Mapping[str, Sequence[int]], styles: Styles) -> list[Chart]:
    """Charts of samples on which the function is flat and of units that are flat for all, means over the layers.

    Functions that mix units have no slope of their own and no line.
    """
    epochs = thinned(recording.epochs, min(CURVE_POINTS, max(40, 1800 // len(members))))
    found = []
    for probe, title in SILENCE.items():
        if probe not in recording.probes:
            continue
        values = 100 * recording.probes[probe].mean(axis=-1)
        bands = {name: quartiles(values[epochs][:, places]) for name, places in members.items()}
        bands = {name: band for name, band in bands.items() if np.isfinite(band).any()}
        data = _bands_and_lines(epochs, bands, members, styles)
        axis = {"title": {"text": "per cent"}, "rangemode": "tozero"}
        layout = {"height": 280, "xaxis": epoch_axis(recording.epochs), "yaxis": axis, "hovermode": "x unified"}
        if probe == "dead_share":
            title += f" of the {probe_samples(recording)} {words_of(recording.study).samples}"
        label = f"{title} over {recording.epochs} epochs, one line for each activation"
        found.append(Chart(probe.replace("_", "-"), title, label, data, layout))
    return found


def _bands_and_lines(
    epochs: Any, bands: Mapping[str, Floats], members: Mapping[str, Sequence[int]], styles: Styles
) -> list[dict[str, Any]]:
    traces = (_band_and_line(name, epochs, band, styles[name], len(members[name])) for name, band in bands.items())
    return list(chain.from_iterable(traces))


def _band_and_line(name: str, epochs: Any, band: Floats, style: Style, seeds: int) -> list[dict[str, Any]]:
    """Traces of one activation: the area between the quartiles if there are several seeds, and the median."""
    low, middle, high = band
    shared = {"meta": name, "legendgroup": name, "type": "scatter", "mode": "lines"}
    line = shared | {
        "name": plotly_text(name),
        "mode": line_mode(middle),
        "x": rounded(epochs),
        "y": rounded(middle),
        "line": {"color": style.css, "dash": style.dash, "width": 2},
        "hovertemplate": "%{y:.4~g}",
    }
    if seeds < 2:
        return [line]
    known = np.isfinite(low)
    area = shared | {
        "x": rounded(np.concatenate([epochs[known], epochs[known][::-1]])),
        "y": rounded(np.concatenate([high[known], low[known][::-1]])),
        "fill": "toself",
        "fillcolor": f"{style.css}/0.13",
        "line": {"width": 0, "color": style.css},
        "hoverinfo": "skip",
    }
    return [area, line]


def _accuracy_axis(bands: Mapping[str, Floats]) -> dict[str, Any]:
    """Per cent; without the steep first epochs if these would leave the rest less than half the height."""
    axis = {"title": {"text": "per cent right"}}
    settled = np.concatenate([band[:, band.shape[1] // 5 :].ravel() for band in bands.values()])
    everything = np.concatenate([band.ravel() for band in bands.values()])
    settled, everything = settled[np.isfinite(settled)], everything[np.isfinite(everything)]
    if not len(settled) or np.ptp(settled) > 0.5 * np.ptp(everything) or np.ptp(settled) == 0:
        return axis
    room = 0.08 * np.ptp(settled)
    low = max(0, int(np.floor(settled.min() - room)))
    return axis | {"range": [low, min(float(everything.max() + room), 100 + 0.02 * (100 - low))]}


def _loss_axis(bands: Mapping[str, Floats], title: str) -> dict[str, Any]:
    values = np.concatenate([band.ravel() for band in bands.values()])
    values = values[np.isfinite(values)]
    axis: dict[str, Any] = {"title": {"text": title}}
    if not len(values) or values.min() <= 0 or values.max() < 8 * values.min():
        return axis
    return axis | {"type": "log", **log_ticks(float(np.log10(values.min())), float(np.log10(values.max())))}


def differences(summary: Mapping[str, Any], styles: Styles) -> Chart | None:
    """How far every activation lies from the best one in what leads, seed by seed; None without a comparison.

    Args:
        summary: of `actlab.statistics`.
        styles: by activation.
    """
    lead = lead_in(summary)
    best = summary["activations"][0]["name"]
    rows = [
        oriented(comparison, best)
        for comparison in summary["comparisons"]
        if comparison["metric"] == lead.test
        and best in (comparison["a"], comparison["b"])
        and comparison["difference"] is not None
    ]
    if not rows:
        return None
    order = [entry["name"] for entry in summary["activations"]]
    rows.sort(key=lambda row: order.index(row["b"]))
    layout = {
        "height": 90 + 38 * len(rows),
        "xaxis": {
            "title": {"text": f"difference to {plotly_text(best)}{_unit(lead)}"},
            "zeroline": True,
            "zerolinewidth": 1.5,
            "range": _around_zero(rows, lead),
        },
        "yaxis": {"type": "category", "showgrid": False},
        "hovermode": "closest",
    }
    label = f"Paired differences of test {lead.title} to {best}, with simultaneous 95 % intervals"
    data = [trace for row in rows for trace in _difference(row, lead, styles[row["b"]])]
    thin = (
        " Thin: for new data, when the test samples are a sample too." if any(r["ci95_new_data"] for r in rows) else ""
    )
    caption = f"Thick: 95 % over seeds, all pairs at once.{thin}"
    return Chart("differences", f"Distance to {best}", label, data, layout, caption=caption)


# Of a comparison, over seeds and for new data.
INTERVALS = ("ci95_simultaneous", "ci95_new_data")


def _unit(lead: Lead) -> str:
    return ", percentage points" if lead.is_share else f", {lead.unit}" if lead.unit else ""


def _around_zero(rows: Sequence[Mapping[str, Any]], lead: Lead) -> list[float]:
    """Range of the axis of differences: all intervals and zero, with a margin."""
    intervals = [row[key] for row in rows for key in INTERVALS if row[key]] or [[row["difference"]] for row in rows]
    ends = [-lead.scale * end for interval in intervals for end in interval]
    low, high = min([0.0, *ends]), max([0.0, *ends])
    room = 0.05 * (high - low) or 1.0
    return rounded([low - room, high + room])


def oriented(comparison: Mapping[str, Any], first: str) -> dict[str, Any]:
    """A comparison a − b turned so that `first` is a.

    >>> row = {"a": "relu", "b": "gelu", "difference": 0.1, "ci95": [0.0, 0.2]}
    >>> row |= {"ci95_simultaneous": None, "ci95_new_data": None}
    >>> turned = oriented(row, "gelu")
    >>> turned["a"], turned["difference"], turned["ci95"]
    ('gelu', -0.1, [-0.2, -0.0])
    """
    row = dict(comparison)
    if row["a"] == first:
        return row
    turned = {key: row[key] and [-row[key][1], -row[key][0]] for key in ("ci95", *INTERVALS) if key in row}
    difference = None if row["difference"] is None else -row["difference"]
    return row | {"a": row["b"], "b": row["a"], "difference": difference} | turned


def _difference(row: Mapping[str, Any], lead: Lead, style: Style) -> list[dict[str, Any]]:
    """One mark with its two intervals: other activation minus the best one, in the unit of what leads, and p."""
    chance = "" if row["p_max_t"] is None else f"p = {row['p_max_t']:.2g}"
    if chance and row["pairs"] < FEWEST_SEEDS:
        chance = "too few seeds for a test"
    over_seeds, new_data = (row[key] for key in INTERVALS)
    mark = _marked(row, lead, style, over_seeds, 4) | {
        "mode": "markers+text",
        "text": [chance],
        "textposition": "top center",
        "textfont": {"size": 10, "color": "var(--quiet)"},
        "hovertemplate": f"%{{x:+.3~g}} {lead.apart}; {chance}<extra></extra>",
    }
    thin = {"mode": "markers", "hoverinfo": "skip"}
    return [*([_marked(row, lead, style, new_data, 1) | thin] if new_data else []), mark]


def _marked(
    row: Mapping[str, Any], lead: Lead, style: Style, interval: Sequence[float] | None, thickness: int
) -> dict[str, Any]:
    middle = -lead.scale * row["difference"]
    low, high = [-lead.scale * end for end in reversed(interval)] if interval else (middle, middle)
    return {
        "type": "scatter",
        "meta": row["b"],
        "name": plotly_text(row["b"]),
        "x": rounded([middle]),
        "y": [plotly_text(row["b"])],
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": rounded([high - middle]),
            "arrayminus": rounded([middle - low]),
            "color": style.css,
            "thickness": thickness,
            "width": 0 if thickness > 1 else 5,
        },
        "marker": {"color": style.css, "size": 11},
    }


def cards(recording: Recording, names: Sequence[str], styles: Styles) -> dict[str, Any]:
    """By name, for each function that has a curve: x, value and derivative as recorded, and its colour."""
    found = {}
    for name in names:
        card = recording.functions.get(name)
        if card and card.get("value") is not None:
            curves = {what: rounded(card[what]) for what in ("x", "value", "derivative")}
            found[name] = curves | {"colour": styles[name].css}
    return found
