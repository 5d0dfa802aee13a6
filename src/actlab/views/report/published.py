"""What a study's source says, beside what was measured, as HTML for the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from actlab.recipes import RECIPES
from actlab.statistics import verdict
from actlab.views.report.html import scrolling
from actlab.wording import DASH, interval, number

Row = Mapping[str, Any]
MARKS = {True: ("agrees", "✓"), False: ("differs", "✗"), None: ("open", DASH)}


def body(summary: Mapping[str, Any]) -> str:
    """The source, what it says in words, and its numbers beside ours; empty for a study that is no recipe's.

    Args:
        summary: what `actlab.statistics.summarise` returns, made JSON-safe.
    """
    recipe = RECIPES.get(summary["study"]["name"])
    rows = summary["published"]
    if recipe is None or summary["epoch"] is None or not (rows or recipe.statements):
        return ""
    said = "".join(f"<li>{escape(statement)}</li>" for statement in recipe.statements)
    parts = [
        f"<p>{escape(recipe.source)}</p>",
        f"<ul class='notes'>{said}</ul>" if said else "",
        f"<p><b>{escape(verdict(rows))}</b></p>" if rows else "",
        _table(rows) if rows else "",
    ]
    return "".join(parts)


def _table(rows: Sequence[Row]) -> str:
    notes = list(dict.fromkeys(row["note"] for row in rows if row["note"]))
    heads = ("activation", "metric", "epoch", "published", "measured", "over the seeds", "agrees", "")
    head = "".join(f'<th scope="col">{text}</th>' for text in heads)
    lines = "".join(_line(row, notes) for row in rows)
    marked = "".join(f"<small>{i}: {escape(note)}.</small>" for i, note in enumerate(notes, 1))
    table = f"<table class='published'><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"
    return scrolling("published numbers", table) + marked


def _line(row: Row, notes: Sequence[str]) -> str:
    measured = row["measured"]
    milestone = row["metric"].startswith("milestone:")
    pattern = ".3g" if milestone else ".4g"
    middle = measured.get("median") if milestone else measured["mean"]
    shown = number(middle, pattern) + f"<small>{interval(measured['ci95'], pattern)}</small>" * (not milestone)
    if milestone and middle is None and measured["reached"] is not None:
        shown = "never"
    spread = interval([measured["low"], measured["high"]], pattern) if measured["low"] is not None else DASH
    name, mark = MARKS[row["agrees"]]
    note = f"<sup>{notes.index(row['note']) + 1}</sup>" if row["note"] else ""
    cells = [
        escape(row["metric"].removeprefix("milestone:").replace("_", " ")),
        number(row["epoch"]),
        f"{row['published']:g}{note}",
        shown,
        spread,
        f"<span class='{name}' title='{name}'>{mark}</span>",
        escape(row["verdict"]),
    ]
    first = f'<th scope="row">{escape(row["activation"])}</th>'
    return f"<tr>{first}{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
