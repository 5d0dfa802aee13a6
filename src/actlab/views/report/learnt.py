"""What the trainable parameters of functions have become, as a table for the report."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from actlab.views.palette import Styles
from actlab.views.report.html import key, scrolling
from actlab.wording import interval, number

HEADS = ("layer", "parameter", "start", "mean", "over seeds", "over units")
LEAD = (
    "What functions learnt of themselves, after the last epoch: the mean over units and seeds, the range of the seeds' "
    "means, and that of all single units."
)


def table(summary: Mapping[str, Any], styles: Styles) -> str:
    """A heading and a table; empty where no function has any, or where weights were not kept.

    Args:
        summary: what `actlab.statistics.summarise` returns, made JSON-safe.
        styles: by activation.
    """
    body = ""
    contests = summary["contests"]
    for condition in (summary, *contests):
        title = (summary["contest"] if condition is summary else condition)["name"]
        for row in condition["activations"]:
            name = f"{row['name']}, {title}" if contests else row["name"]
            body += "".join(_row(f"{key(styles[row['name']])}{escape(name)}", one) for one in row["learnt"] or ())
    if not body:
        return ""
    heads = "".join(f'<th scope="col">{head}</th>' for head in ("activation", *HEADS))
    rows = f'<table class="numbers"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>'
    return f"<h3>Learnt parameters</h3><p>{LEAD}</p>{scrolling('learnt parameters', rows)}"


def _row(name: str, row: Mapping[str, Any]) -> str:
    cells = [
        escape(row["layer"]),
        escape(row["parameter"]),
        number(row["start"]),
        number(row["mean"]),
        _range(row["low"], row["high"]),
        _range(row["smallest"], row["largest"]),
    ]
    return f'<tr><th scope="row">{name}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'


def _range(low: float | None, high: float | None) -> str:
    """Both ends; a dash where all members diverged.

    >>> _range(0.1, 0.25), _range(None, None)
    ('0.1 to 0.25', '–')
    """
    return number(None) if low is None or high is None else interval((low, high))
