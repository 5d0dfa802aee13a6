"""What charts are made of: rounded numbers, thinned epochs, bands over seeds, the chart as plain data."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
CURVE_POINTS = 150


@dataclass(frozen=True)
class Chart:
    """One Plotly figure as plain data.

    Attributes:
        name: its id in the page, unique.
        title: its heading, plain text.
        label: what it shows, for readers who do not see it.
        data, layout: Plotly's; a colour may be `var(--name)` or `var(--name)/0.2`, which the page looks up.
        activation: the activation whose panel it is; None for a chart of all.
        caption: a line under the title, plain text.
        seeds: for curves over the epochs, each activation's single seeds, packed (seeds, points).
    """

    name: str
    title: str
    label: str
    data: Sequence[Mapping[str, Any]]
    layout: Mapping[str, Any]
    activation: str | None = None
    caption: str = ""
    seeds: Mapping[str, str] = field(default_factory=dict)

    @property
    def content(self) -> dict[str, Any]:
        """What the page's script needs to draw it."""
        return {"data": list(self.data), "layout": dict(self.layout), "seeds": dict(self.seeds)}


def rounded(values: npt.ArrayLike, digits: int = 5) -> list[Any]:
    """Numbers to `digits` significant digits, as nested lists; None where not finite.

    >>> rounded([1 / 3, 2.0, float("nan")])
    [0.33333, 2, None]
    """
    array = np.asarray(values, dtype=float)
    if array.ndim > 1:
        return [rounded(row, digits) for row in array]
    return [_shortest(value, digits) for value in array.tolist()]


def _shortest(value: float, digits: int) -> float | int | None:
    if not np.isfinite(value):
        return None
    short = float(f"{value:.{digits}g}")
    return int(short) if short.is_integer() and abs(short) < 1e15 else short


def thinned(epochs: int, most: int) -> npt.NDArray[np.int64]:
    """At most `most` epochs from 0 to `epochs`, evenly spread, the first and the last among them.

    >>> thinned(10, 4).tolist()
    [0, 3, 7, 10]
    """
    return np.unique(np.round(np.linspace(0, epochs, min(most, epochs + 1))).astype(int))


def epoch_axis(epochs: int) -> dict[str, Any]:
    """The horizontal axis of training; few epochs get a tick each."""
    return {"title": {"text": "epoch"}, **({"dtick": 1} if epochs <= 8 else {})}


def line_mode(values: Floats) -> str:
    """How to draw a line: a single point would not be seen without a mark.

    >>> line_mode(np.array([0.5, np.nan])), line_mode(np.array([0.5, 0.6]))
    ('lines+markers', 'lines')
    """
    return "lines+markers" if np.isfinite(values).sum() == 1 else "lines"


def quartiles(values: Floats) -> Floats:
    """25th, 50th and 75th percentile over the last axis, (rows, members) to (3, rows).

    Members that are not finite are left out; a row without any is NaN.

    >>> quartiles(np.array([[1.0, 2.0, 3.0, np.nan]]))[:, 0].tolist()
    [1.5, 2.0, 2.5]
    """
    kept = np.sort(np.where(np.isfinite(values), values, np.nan).astype(float), axis=-1)
    counts = np.isfinite(kept).sum(axis=-1)
    found = np.full((3, len(kept)), np.nan)
    # NaN is sorted to the end. Rows with equally many members are taken together: nanpercentile takes each by itself.
    for count in np.unique(counts[counts > 0]):
        found[:, counts == count] = np.percentile(kept[counts == count, :count], (25, 50, 75), axis=-1)
    return found


def plotly_text(text: str) -> str:
    """Text as Plotly must get it: it reads a subset of HTML and `%{…}` templates in labels.

    >>> plotly_text("<b>%{x}")
    '&lt;b&gt;%&#123;x}'
    """
    return html.escape(text).replace("{", "&#123;")


def log_ticks(low: float, high: float) -> dict[str, Any]:
    """Ticks of a logarithmic axis from 10^low to 10^high, written out in full: some six of them.

    >>> log_ticks(-4, 0)["ticktext"]
    ['0.0001', '0.001', '0.01', '0.1', '1']
    """
    step = max(1, math.ceil((high - low) / 5))
    within = (1, 2, 5) if high - low < 1.5 else (1,)
    powers = range(math.floor(low), math.ceil(high) + 1, step)
    values = [m * 10.0**power for power in powers for m in within if low <= math.log10(m) + power <= high]
    return {"tickvals": values, "ticktext": [f"{value:g}" for value in values]}
