"""The numbers of a recording as tidy CSV files, for R, pandas or a spreadsheet, and a README.txt that tells of them."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from actlab.errors import ActlabError
from actlab.files import new_directory, write_synced
from actlab.recording import Member, Recording
from actlab.statistics import reported, summarise
from actlab.statistics.selection import conditions_of
from actlab.statistics.simultaneous import FEWEST_SEEDS
from actlab.views.paper.columns import readme
from actlab.views.paper.methods import methods
from actlab.views.paper.writing import check_recorded

Summary = Mapping[str, Any]
Cell = str | int | float | bool | None
README = "README.txt"
# A text that a spreadsheet takes for a formula, however often it is guarded already.
FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
# Of a member, what says which one it is.
IDENTITY = ("member", "activation", "learning_rate", "init", "seed")


@dataclass(frozen=True)
class Table:
    """One file: `name` without its ending, `columns`, and the `rows`, a cell for each column."""

    name: str
    columns: tuple[str, ...]
    rows: Iterable[Sequence[Cell]]


def write_tables(recording: Recording, directory: str | Path, summary: Summary | None = None) -> Path:
    """Write results.csv, members.csv, curves.csv, comparisons.csv and README.txt.

    Beside them milestones.csv where the study has some, and baseline.csv where the recording has one.

    Numbers are those of the summary and of `recording.metrics`, in the units that they are recorded in, written so that
    they read back the same. An empty cell is what is not known (NaN). "inf" is a median epoch that is never reached: at
    least half of the seeds do not get there. A text that a spreadsheet would take for a formula has an apostrophe in
    front: see `guarded`.

    Args:
        recording: complete or not, with at least the untrained networks recorded.
        directory: new or empty; it appears once everything is written.
        summary: what `actlab.statistics.summarise` says of the recording, if that is at hand.

    Raises:
        ActlabError: nothing is recorded yet, the directory is not empty or cannot be written.
    """
    directory = Path(directory)
    check_new(directory)
    check_recorded(recording)
    summary = summary or summarise(recording, derived=True)
    found = tables(recording, summary)
    try:
        with new_directory(directory) as temporary:
            for table in found:
                write_synced(temporary / f"{table.name}.csv", csv_text(table).encode())
            columns = {table.name: table.columns for table in found}
            write_synced(temporary / README, readme(recording, columns, methods(recording), summary["notes"]).encode())
    except OSError as error:
        raise ActlabError(f"{directory}: the tables cannot be written ({error.strerror or error}).") from None
    return directory


def check_new(directory: Path) -> None:
    """Raise ActlabError where a directory is neither new nor empty, or cannot be looked into."""
    try:
        taken = directory.exists() and (not directory.is_dir() or any(directory.iterdir()))
    except OSError as error:
        raise ActlabError(f"{directory}: the tables cannot be written ({error.strerror}).") from None
    if taken:
        what = "is not empty" if directory.is_dir() else "is no directory"
        raise ActlabError(f"{directory} exists and {what}: name a new directory for the tables.")


def tables(recording: Recording, summary: Summary) -> tuple[Table, ...]:
    """All tables of a recording, those of a baseline and of milestones only where there are any."""
    compared = [{"condition": name, **row} for name, _, own in _contests(summary) for row in own["comparisons"]]
    found = (_results(summary), _members(recording), _curves(recording), _of_rows("comparisons", compared))
    if summary["baseline"]:
        rows = [
            {"condition": name, **row} for name, _, own in _contests(summary) for row in own["baseline"]["comparisons"]
        ]
        found = (*found, _of_rows("baseline", rows))
    return (*found, _of_rows("milestones", _milestones(summary))) if recording.study.milestones else found


def csv_text(table: Table) -> str:
    """The text of a file: a row of names, then one for each row, all ended by CR LF as RFC 4180 has it.

    >>> csv_text(Table("t", ("name", "p"), [("=1+1", 0.1), ("a,b", math.nan)]))
    'name,p\\r\\n\\'=1+1,0.1\\r\\n"a,b",\\r\\n'
    """
    text = StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(table.columns)
    writer.writerows([_written(cell) for cell in row] for row in table.rows)
    return text.getvalue()


def _written(cell: Cell) -> str | int | float:
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return guarded(cell) if isinstance(cell, str) else cell


def guarded(text: str) -> str:
    """A text with an apostrophe in front where a spreadsheet would take it for a formula; `unguarded` takes it away.

    Spreadsheets compute what begins with =, +, - or @, a tab or the end of a line before it, and the wide forms of
    these: a name of somebody else's must not become a command.

    Source: OWASP, CSV injection, https://owasp.org/www-community/attacks/CSV_Injection.

    >>> guarded("relu"), guarded("=1+1"), guarded("'=1+1"), guarded("'tis")
    ('relu', "'=1+1", "''=1+1", "'tis")
    """
    return f"'{text}" if FORMULA.match(text) else text


def unguarded(text: str) -> str:
    """The text as it was before `guarded`.

    >>> [unguarded(guarded(text)) for text in ("relu", "=1+1", "'=1+1", "'tis")]
    ['relu', '=1+1', "'=1+1", "'tis"]
    """
    return text[1:] if text.startswith("'") and FORMULA.match(text) else text


def _contests(summary: Summary) -> Iterator[tuple[str, str, Summary]]:
    """Name, title and content of each condition, the main one first."""
    for own, named in ((summary, summary["contest"]), *((other, other) for other in summary["contests"])):
        yield named["name"], named["title"], own


def _results(summary: Summary) -> Table:
    standings = {"best_set": "may be the best", "not_best": "not the best", "not_compared": "not compared"}
    rows: list[dict[str, Any]] = []
    for name, title, own in _contests(summary):
        standing = {one: said for key, said in standings.items() for one in own[key]}
        if own["best_seeds"] < FEWEST_SEEDS:
            standing = dict.fromkeys([*own["best_set"], *own["not_best"]], "too few seeds") | dict.fromkeys(
                own["not_compared"], standings["not_compared"]
            )
        for place, row in enumerate(own["activations"], 1):
            rows.append(
                {
                    "condition": name,
                    "condition_title": title,
                    "place": place,
                    "activation": row["name"],
                    "standing": standing.get(row["name"]),
                    **{
                        key: value
                        for key, value in row.items()
                        if key not in ("name", "learnt", "confusion", "label_confusion")
                    },
                }
            )
    return _of_rows("results", rows)


def _milestones(summary: Summary) -> list[dict[str, Any]]:
    return [
        {
            "condition": condition,
            "activation": row["name"],
            "milestone": reached["name"],
            **{key: value for key, value in reached.items() if key != "name"},
        }
        for condition, _, own in _contests(summary)
        for row in own["activations"]
        for reached in row["milestones"]
    ]


def _of_rows(name: str, rows: Iterable[Mapping[str, Any]]) -> Table:
    """A table of rows of a summary; what a row lacks is left empty."""
    flat = [_flat(row) for row in rows]
    columns = tuple(dict.fromkeys(column for row in flat for column in row)) or EMPTY.get(name, ())
    return Table(name, columns, [[row.get(column) for column in columns] for row in flat])


# The columns of a table that may have no rows: of one activation there are no pairs.
EMPTY = {"comparisons": ("condition", "a", "b", "metric", "difference", "ci95_low", "ci95_high", "p")}


def _flat(row: Mapping[str, Any], prefix: str = "") -> dict[str, Cell]:
    """The numbers and texts of a row by column: those of a table within it behind its name, an interval by its ends.

    Lists are left out: they are rows of other files. Null is a median epoch of infinity where a share is known, and an
    end of an interval that is never.

    >>> _flat({"p": 0.5, "loss": {"mean": 1.0, "ci95": None, "values": [1.0]}})
    {'p': 0.5, 'loss_mean': 1.0, 'loss_ci95_low': None, 'loss_ci95_high': None}
    >>> _flat({"median": None, "reached": 0.25})
    {'median': inf, 'reached': 0.25}
    >>> _flat({"ci95": [3.0, None]})
    {'ci95_low': 3.0, 'ci95_high': inf}
    """
    found: dict[str, Cell] = {}
    for key, value in row.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            found |= _flat(value, f"{name}_")
        elif "ci95" in key:
            # Of epochs an end may be never.
            ends = (None, None) if value is None else (math.inf if end is None else end for end in value)
            found[f"{name}_low"], found[f"{name}_high"] = ends
        elif not isinstance(value, list):
            found[name] = value
    if f"{prefix}reached" in found and found[f"{prefix}median"] is None and found[f"{prefix}reached"] is not None:
        found[f"{prefix}median"] = math.inf
    return found


def _members(recording: Recording) -> Table:
    names = (*recording.metrics, *recording.derived)
    last = [recording.values(name)[-1].tolist() for name in names]
    within = _conditions(recording)
    columns = (*IDENTITY, "conditions", "diverged_epoch", "diverged_reason", "epoch", *names)
    rows = [
        (
            *_identity(member),
            " ".join(within[member.id]),
            member.diverged_epoch,
            member.diverged_reason,
            recording.epochs,
            *(values[column] for values in last),
        )
        for column, member in enumerate(recording.members)
    ]
    return Table("members", columns, rows)


def _conditions(recording: Recording) -> dict[int, list[str]]:
    """By the id of a member, the conditions that it is reported in."""
    found: dict[int, list[str]] = {member.id: [] for member in recording.members}
    for condition in conditions_of(recording):
        for entry in reported(recording, condition):
            for member in entry.members:
                found[member.id].append(condition.name)
    return found


def _curves(recording: Recording) -> Table:
    return Table("curves", (*IDENTITY, "epoch", *recording.metrics), _curve_rows(recording))


def _curve_rows(recording: Recording) -> Iterator[Sequence[Cell]]:
    for column, member in enumerate(recording.members):
        curves = [values[:, column].tolist() for values in recording.metrics.values()]
        for epoch, values in enumerate(zip(*curves, strict=True)):
            yield (*_identity(member), epoch, *values)


def _identity(member: Member) -> tuple[Cell, ...]:
    return member.id, member.activation, member.learning_rate, member.init, member.seed
