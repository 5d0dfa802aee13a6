"""How a recording shows itself: a line in a terminal, the result as a small table in a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from actlab.errors import ActlabError
from actlab.objectives import Lead, lead_in
from actlab.recording import Recording
from actlab.statistics.trained import words_of
from actlab.study import is_watched
from actlab.views.report.html import BEST
from actlab.wording import DASH, counted, interval, number, percent

ROWS = 12
# A notebook has its own colours, light or dark: these settings suit both.
RULE = "1px solid rgba(128, 128, 128, 0.4)"
CELL = f"padding: 0.2em 0.8em; border-bottom: {RULE}; white-space: nowrap"
QUIET = "opacity: 0.75; font-size: 0.9em"


def line(recording: Recording) -> str:
    """A recording in a line: its study, where it lies, how much it holds and whether it is whole."""
    study = recording.study
    if is_watched(study):
        return f"<Recording {study.name!r} in {recording.directory}: a training that was watched, {_reach(recording)}>"
    counts = (len(recording.members), "network"), (len(study.activations), "activation"), (len(study.seeds), "seed")
    networks, *others = (counted(*count) for count in counts)
    return f"<Recording {study.name!r} in {recording.directory}: {networks} ({', '.join(others)}), {_reach(recording)}>"


def _reach(recording: Recording) -> str:
    wanted = recording.study.epochs
    if is_watched(recording.study):
        looks = counted(recording.epochs + 1, "look")
        return f"{looks}, complete" if recording.complete else f"{looks} so far"
    if recording.complete:
        return f"{words_of(recording.study).span(wanted)}, complete"
    if recording.epochs < 0:
        return f"stopped before the first of {wanted} epochs"
    return f"stopped after epoch {recording.epochs} of {wanted}"


def complaint(recording: Recording, error: ActlabError) -> str:
    """A recording that cannot be read as HTML for a notebook: its line, and what is wrong."""
    return f"<div><p>{escape(line(recording))}</p><p>{escape(str(error))}</p></div>"


def card(recording: Recording, summary: Mapping[str, Any]) -> str:
    """A recording as HTML for a notebook: headline, table, where the report lies; it asks the network for nothing."""
    table = _table(summary) if recording.epochs >= 0 and not is_watched(recording.study) else ""
    return (
        f"<div><p><b>{escape(summary['headline'])}</b></p>{table}"
        f"<p style='{QUIET}'>{escape(line(recording)[1:-1])}.<br>{_report(recording)}</p></div>"
    )


def _table(summary: Mapping[str, Any]) -> str:
    lead = lead_in(summary)
    heads = ("activation", f"test {escape(lead.title)}", "95 % interval", "test loss", "diverged", "")
    head = "".join(f"<th style='{CELL}; text-align: {_side(i)}'>{text}</th>" for i, text in enumerate(heads))
    rows = summary["activations"]
    body = "".join(_row(row, lead, row["name"] in (summary.get("best_set") or ())) for row in rows[:ROWS])
    more = f"<p style='{QUIET}'>and {len(rows) - ROWS} more</p>" if len(rows) > ROWS else ""
    style = "border-collapse: collapse; font-variant-numeric: tabular-nums"
    table = f"<table style='{style}'><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f"<div style='overflow-x: auto'>{table}</div>{more}"


def _row(row: Mapping[str, Any], lead: Lead, best: bool) -> str:
    estimate = row[lead.test]
    mean = DASH if estimate["mean"] is None else escape(lead.said(estimate["mean"]))
    cells = (
        escape(row["name"]),
        percent(estimate["mean"]) if lead.is_share else mean,
        interval(estimate["ci95"], ".2f" if lead.is_share else "#.4g", lead.scale) or DASH,
        number(row["test_loss"]["mean"], "#.3g"),
        f"{row['diverged']} of {row['members']}" if row["diverged"] else "0",
        BEST if best else "",
    )
    return (
        "<tr>" + "".join(f"<td style='{CELL}; text-align: {_side(i)}'>{c}</td>" for i, c in enumerate(cells)) + "</tr>"
    )


def _side(column: int) -> str:
    return "left" if column in (0, 5) else "right"


def _report(recording: Recording) -> str:
    path = recording.directory / "report.html"
    if path.is_file():
        return f"Report: <code>{escape(str(path))}</code>"
    return f"No report lies there; <code>actlab.report(recording, {escape(repr(str(path)))})</code> writes it."
