"""The conditions beside the main one, and how each learning rate was chosen, as HTML for the report."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from actlab.statistics.trained import words_of
from actlab.views.palette import Styles
from actlab.views.report import html
from actlab.wording import number, percent

Summary = Mapping[str, Any]


def results(summary: Summary, styles: Styles) -> str:
    """A table for each condition, the main one first; with a heading each where there are several.

    Args:
        summary: what `actlab.statistics.summarise` returns, made JSON-safe.
        styles: colour and dash by activation.
    """
    best = {"best_set": summary.get("best_set")}
    if not summary["contests"]:
        return html.best_set(summary, styles) + html.scrolling("results", html.table(summary, styles))
    # Each condition has its own set of activations that may be the best.
    whole = [summary["contest"] | best | {"headline": ""}, *({"best_set": None} | own for own in summary["contests"])]
    rows = [row for condition in (summary, *summary["contests"]) for row in condition["activations"]]
    parts = []
    for condition in whole:
        title, words = condition["title"], condition["headline"]
        head = f"<h3>{escape(title[:1].upper() + title[1:])}</h3>" + (f"<p>{escape(words)}</p>" if words else "")
        own = {**summary, **condition}
        table = html.table(own, styles, rows)
        parts.append(head + html.best_set(own, styles) + html.scrolling(title, table))
    return "".join(parts) + _choice(summary)


def _choice(summary: Summary) -> str:
    """The learning rates that were tried: mean validation loss of every activation at each, the chosen one in bold."""
    rows: dict[tuple[str, str], dict[float, Mapping[str, Any]]] = {}
    for row in summary["tuning"]:
        rows.setdefault((row["activation"], row["init"]), {})[row["learning_rate"]] = row
    if not rows:
        return ""
    words = words_of(summary["study"])
    rates = sorted({rate for tried in rows.values() for rate in tried})
    chosen = summary["study"]["chosen_rates"]
    firm = {(row["activation"], row["init"]): row["chosen_again"] for row in summary["choices"]}
    heads = "".join(f'<th scope="col">{number(rate)}</th>' for rate in rates)
    body = ""
    for (activation, init), tried in rows.items():
        cells = "".join(_cell(tried.get(rate), chosen[init][activation] == rate) for rate in rates)
        name = activation if init == "stated" else f"{activation}, {init}"
        again = f"<td>{percent(firm.get((activation, init)), '.0f')}</td>" if firm else ""
        body += f'<tr><th scope="row">{escape(name)}</th>{cells}{again}</tr>'
    heads += '<th scope="col">chosen again</th>' if firm else ""
    table = f'<table><thead><tr><th scope="col">{words.rate}</th>{heads}</tr></thead><tbody>{body}</tbody></table>'
    return (
        f"<details><summary>How each {words.rate} was chosen</summary>"
        "<p>Mean validation loss over the tuning seeds; the chosen rate in bold. Chosen again: by so many of the draws "
        "of as many tuning seeds, with replacement.</p>"
        f"{html.scrolling(f'{words.rates} tried', table)}</details>"
    )


def _cell(row: Mapping[str, Any] | None, chosen: bool) -> str:
    if row is None:
        return "<td></td>"
    loss = row["validation_loss"]
    text = f"{row['diverged']} of {row['members']} diverged" if loss is None else number(loss, "#.3g")
    return f"<td>{f'<b>{text}</b>' if chosen else text}</td>"
