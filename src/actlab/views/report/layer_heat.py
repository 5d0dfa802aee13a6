"""What was measured in every layer at every step that was looked at, as the page of a watched training shows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from actlab.recording import Recording
from actlab.recording.measures import MEASURES, Measure
from actlab.views.report.distributions import distributions
from actlab.views.report.layer_folding import within
from actlab.views.report.page_data import packed
from actlab.wording import number

# Measures with a row for each layer, in the order in which they are shown: of weights first.
SHOWN = (
    "weight_gradient_norm", "update_ratio", "activation_gradient_norm", "flat_share", "dead_share", "signal",
    "activation_rms",
)  # fmt: skip
SHARES = ("flat_share", "dead_share")
# What is told of studies by their probe batch is told here by the batch of the step.
SENTENCES = {
    "activation_gradient_norm": "Size of the gradient that arrives at a function's output, ‖∂L/∂a‖₂ over the batch.",
    "pre_activation_gradient_norm": "What the function's slope leaves of it at its input, ‖∂L/∂z‖₂ over the batch.",
    "update_ratio": "Size of what the step changed over that of the weights, ‖ΔW‖₂ / ‖W‖₂.",
}
# Cells of all measures together; two bytes each.
CELLS = 600_000
FEWEST_COLUMNS = 40
# Layers whose distributions are embedded: some 16 KB each.
INSIDE = 48
# Colours reach so many decades to either side of the median: what is beyond has the colour of the end.
DECADES = 6.0
UNSEEN, ZERO, FIRST, INFINITE = 0, 1, 2, 65535
Floats = npt.NDArray[np.float64]


def steps_of(recording: Recording) -> npt.NDArray[np.int64]:
    """The steps that were looked at, a row of the recording each."""
    return recording.probes["step"][:, 0].astype(np.int64)


def columns_of(recording: Recording, wanted: Iterable[int]) -> npt.NDArray[np.int64]:
    """The rows of the recording that get a column: all, or as many as the page has room for.

    Args:
        recording: of a training that was watched.
        wanted: steps that are to be among them.
    """
    steps = steps_of(recording)
    cells = sum(len(recording.facts[measure.axis or ""]) for measure in _shown(recording))
    most = max(CELLS // max(cells, 1), FEWEST_COLUMNS)
    if len(steps) <= most:
        return np.arange(len(steps))
    kept = np.round(np.linspace(0, len(steps) - 1, most)).astype(int)
    return np.unique([*kept, *(int(np.searchsorted(steps, step, "right") - 1) for step in wanted)])


def measures(recording: Recording, columns: npt.NDArray[np.int64]) -> list[dict[str, Any]]:
    """Each measure with its rows, its scale and its cells (rows, columns) as codes: see `coded`.

    Args:
        recording: of a training that was watched.
        columns: see `columns_of`.
    """
    return [_content(recording, measure, columns) for measure in _shown(recording)]


def _shown(recording: Recording) -> list[Measure]:
    """Those measures of which anything was seen."""
    there = [MEASURES[name] for name in SHOWN if name in recording.probes]
    return [own for own in there if np.isfinite(recording.probes[own.name]).any()]


def sentence(measure: Measure) -> str:
    """What a measure is, of a training that was watched."""
    return SENTENCES.get(measure.name, measure.sentence)


def _content(recording: Recording, measure: Measure, columns: npt.NDArray[np.int64]) -> dict[str, Any]:
    values = recording.probes[measure.name][columns, 0].astype(float).T
    log = measure.name not in SHARES
    cells, low, high = coded(values, log=log)
    start, end = _colours(values, log, low, high)
    return {
        "name": measure.name,
        "title": measure.title,
        "sentence": sentence(measure),
        "along": measure.along,
        "rows": list(recording.facts[measure.axis or ""]),
        "columns": len(columns),
        "log": log,
        "low": low,
        "high": high,
        "from": start,
        "to": end,
        "ticks": _ticks(start, end, log) if (values > 0).any() or not log else [[0.0, "0"]],
        "cells": packed(cells, "<u2"),
    }


def coded(values: Floats, *, log: bool) -> tuple[npt.NDArray[np.uint16], float, float]:
    """Numbers of at least 0 in equal steps, with the ends of the scale: logarithms of ten, or shares from 0 to 1.

    0 is what was not seen, 1 a zero, 65535 what is infinite.

    >>> coded(np.array([np.nan, 0.0, 0.01, 100.0, np.inf]), log=True)
    (array([    0,     1,     2, 65534, 65535], dtype=uint16), -2.0, 2.0)
    """
    positive = values[np.isfinite(values) & (values > 0)]
    low, high = 0.0, 1.0
    if log:
        low, high = (float(np.log10(own)) for own in (positive.min(), positive.max())) if positive.size else (0.0, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = (np.log10(values) - low) / ((high - low) or 1.0) if log else values
    inside = np.clip(np.nan_to_num(scaled, nan=0.0, posinf=1.0, neginf=0.0), 0, 1)
    codes = np.round(FIRST + inside * (INFINITE - 1 - FIRST))
    codes = np.where(values <= 0, ZERO, codes)
    codes = np.where(np.isposinf(values), INFINITE, codes)
    return np.where(np.isnan(values), UNSEEN, codes).astype(np.uint16), low, high


def _colours(values: Floats, log: bool, low: float, high: float) -> tuple[float, float]:
    """Where on the scale colours begin and end."""
    positive = values[np.isfinite(values) & (values > 0)]
    if not log:
        return low, high
    if not positive.size:
        return 0.0, 1.0
    middle = float(np.median(np.log10(positive)))
    start, end = max(low, middle - DECADES), min(high, middle + DECADES)
    # What hardly differs is not to look as if it did.
    short = max(1.0 - (end - start), 0.0) / 2
    return start - short, end + short


def _ticks(start: float, end: float, log: bool) -> list[list[Any]]:
    """Numbers below the colour scale, with their places from 0 to 1."""
    if not log:
        return [[place, f"{100 * place:g} %"] for place in (0.0, 0.25, 0.5, 0.75, 1.0)]
    width = end - start
    powers = list(range(int(np.ceil(start - 1e-9)), int(np.floor(end + 1e-9)) + 1))
    if len(powers) < 2:
        return [[0.0, number(10**start, ".2g")], [1.0, number(10**end, ".2g")]]
    step = -(-len(powers) // 6)
    return [[round((power - start) / width, 4), f"10^{power}"] for power in powers[::step]]


def rows_of(layer: str | None, recording: Recording) -> dict[str, list[int]]:
    """The rows that a finding's layer means, among those of weights and of functions."""
    found = {}
    for along, names in (("weights", recording.weight_layers), ("functions", recording.act_layers)):
        own = [place for place, name in enumerate(names) if layer and (name == layer or f"{name}.weight" == layer)]
        inside = within(layer, names) if layer and not own else set()
        found[along] = own or [place for place, name in enumerate(names) if name in inside]
    return found


def insides(recording: Recording, wanted: Sequence[str]) -> list[dict[str, Any]]:
    """The distributions in some layers, over the steps: those that are wanted, and others spread over the network."""
    chosen = {}
    for fact, names in (("act_layers", recording.act_layers), ("weight_layers", recording.weight_layers)):
        first = [names.index(name) for name in dict.fromkeys(wanted) if name in names][:INSIDE]
        room = min(INSIDE, len(names)) - len(first)
        spread = np.unique(np.round(np.linspace(0, len(names) - 1, room)).astype(int)).tolist() if room > 0 else []
        chosen[fact] = sorted({*first, *spread})
    steps = steps_of(recording)
    found = []
    for own in distributions(recording, {"": [0]}, chosen) if recording.epochs >= 0 else ():
        if own["layers"]:
            kept = ("name", "title", "sentence", "layers", "ticks", "words", "top")
            content: Mapping[str, Any] = {key: own[key] for key in kept}
            found.append({**content, "steps": steps[own["epochs"]].tolist(), "cells": own["panels"][""]})
    return found
