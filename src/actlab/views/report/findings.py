"""Findings as HTML for the report: the sentences, and the way of the gradient layer by layer as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from actlab.recording import Recording
from actlab.statistics.findings import gradient_table
from actlab.statistics.gradients import GradientFlow
from actlab.statistics.selection import Reported
from actlab.views.palette import Style, Styles
from actlab.views.report.html import key, scrolling
from actlab.wording import number


def sentences(found: Sequence[Mapping[str, Any]]) -> str:
    """The findings as a list, warnings marked."""
    items = (f"<li class='{escape(finding['severity'])}'>{escape(finding['sentence'])}</li>" for finding in found)
    return f"<ul class='notes'>{''.join(items)}</ul>"


def gradient_flow_table(recording: Recording, entries: Mapping[str, Reported], styles: Styles) -> str:
    """The share of the gradient at each place of the function, untrained and at the end; empty with one place."""
    tables = gradient_table(recording, list(entries.values()))
    if not tables:
        return ""
    epochs = list(next(iter(tables.values())))
    titles = ["untrained" if epoch == 0 else f"after epoch {epoch}" for epoch in epochs]
    groups = "".join(f'<th scope="colgroup" colspan="3">{title}</th>' for title in titles)
    hints = {
        "share": "norm of the gradient with respect to the output of the function here, over that at the last place",
        "slope": "what the slope of the function leaves of it",
        "weights": "what the weights, and all else on the way to the place before, make of the rest",
    }
    heads = "".join(f'<th scope="col" title="{hint}">{name}</th>' for name, hint in hints.items()) * len(epochs)
    body = "".join(_rows(name, list(steps.values()), styles[name]) for name, steps in tables.items())
    head = (
        f'<tr><th></th><th></th>{groups}</tr><tr><th scope="col">activation</th><th scope="col">place</th>{heads}</tr>'
    )
    table = f"<table><thead>{head}</thead><tbody>{body}</tbody></table>"
    return (
        "<details><summary>Layer by layer: what slopes and weights leave of the gradient</summary>"
        "<p>From the output to the input, medians over seeds: the share of the gradient that arrives, the factor that "
        "the slope of the function puts on it there, and the factor of the weights on the way to the place before.</p>"
        f"{scrolling('gradient layer by layer', table)}</details>"
    )


def _rows(name: str, tables: Sequence[Sequence[GradientFlow]], style: Style) -> str:
    rows = ""
    for place, steps in enumerate(zip(*tables, strict=True)):
        cells = "".join(
            f"<td>{number(value, '.2g')}</td>" for step in steps for value in (step.share, step.slope, step.weights)
        )
        first = f"{key(style)}{escape(name)}" if place == 0 else ""
        rows += f'<tr><th scope="row">{first}</th><td>{escape(steps[0].layer)}</td>{cells}</tr>'
    return rows
